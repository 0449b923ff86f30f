// Asking a child process to measure something in itself.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

// biome-ignore lint/suspicious/noExplicitAny: each command has its own parameters; `ask` gives them back their types.
type Commands = Readonly<Record<string, (...args: any[]) => unknown>>;

interface Question {
  readonly id: number;
  readonly command: string;
  readonly args: readonly unknown[];
}

type Answer = { readonly id: number } & (
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: string }
);

/** The child's side: does what it is asked, one question after the other. */
export function answerCommands(commands: Commands): void {
  let previous: Promise<void> = Promise.resolve();
  const answer = async ({ id, command, args }: Question): Promise<Answer> => {
    try {
      return { id, ok: true, value: await commands[command]?.(...args) };
    } catch (error) {
      return { id, ok: false, error: String((error as Error).stack ?? error) };
    }
  };
  process.on('message', (question: Question) => {
    previous = previous.then(async () => void process.send?.(await answer(question)));
  });
  process.once('disconnect', () => process.exit(0));
}

/** A child process that answers commands. */
export class Child<C extends Commands> {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #asked = 0;

  /** @param file of the child, beside the caller. @param flags of Node. */
  constructor(file: URL, flags: readonly string[] = []) {
    this.#process = fork(fileURLToPath(file), [], {
      serialization: 'advanced',
      execArgv: [...flags, '--disable-warning=ExperimentalWarning'],
      env: {},
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#process.on('message', (answer: Answer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.ok) waiting?.resolve(answer.value);
      else waiting?.reject(new Error(answer.error));
    });
    this.#process.once('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the child ended: ${signal ?? code}`));
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** @throws Error with the child's own stack where it failed. */
  ask<K extends keyof C & string>(command: K, ...args: Parameters<C[K]>): Promise<Awaited<ReturnType<C[K]>>> {
    const id = this.#asked++;
    const waiting = Promise.withResolvers<unknown>();
    if (!this.#process.connected) throw new Error('the child has ended');
    this.#waiting.set(id, waiting);
    this.#process.send({ id, command, args } satisfies Question);
    return waiting.promise as Promise<Awaited<ReturnType<C[K]>>>;
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await ended;
  }
}
