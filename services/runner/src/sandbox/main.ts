// The sandbox: one process per tenant (I5) that runs guests and knows nothing. It holds no credential, reads no file,
// opens no socket; all it can do is ask its parent over IPC, and the parent decides (I6).
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Call } from './call.ts';
import { Calls } from './calls.ts';
import { Component, type Host } from './component.ts';
import { hostImports } from './host-imports.ts';
import { Interruption } from './interruption.ts';
import { lockDown, takeGarbageCollector } from './lockdown.ts';
import type { FromSandbox, ToSandbox } from './protocol.ts';
import { Turns } from './turns.ts';
import { wasiImports } from './wasi.ts';

const send = process.send?.bind(process) as
  | ((message: FromSandbox, done: (error: Error | null) => void) => boolean)
  | undefined;
if (send === undefined) throw new Error('the sandbox is started by the runner only');

const interruption = new Interruption();
const watchdog = new Worker(new URL('./watchdog-thread.ts', import.meta.url), {
  workerData: interruption.watchdogData,
  env: {},
  // Its own flags: inherited, those for the guests' thread cost it 20 ms (measured). Without any it would have no permission model.
  execArgv: ['--permission', `--allow-fs-read=${fileURLToPath(new URL('.', import.meta.url))}`],
});
// A guest that nothing can stop must not run.
for (const event of ['error', 'exit'] as const) watchdog.once(event, () => process.exit(71));

const turns = new Turns<Call>(interruption);
const calls = new Calls({ turns, tell, collectGarbage: takeGarbageCollector() });
const locked = Promise.withResolvers<void>();
let host: Host | undefined;

// A parent that is gone can be answered by nobody.
process.once('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole process group; the runner drains first and ends its sandboxes itself (I10).
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('message', (message: ToSandbox) => {
  receive(message).catch(() => process.exit(70));
});
await once(watchdog, 'message');
lockDown();
locked.resolve();
tell({ type: 'ready' });

async function receive(message: ToSandbox): Promise<void> {
  switch (message.type) {
    case 'init':
      host = openHost(message);
      return;
    case 'load':
      return load(message);
    case 'unload':
      return calls.remove(message.artifact);
    case 'run':
      return calls.run(message);
    case 'host_result':
      return calls.answer(message.call, message.seq, message.result);
    case 'cancel':
      return calls.cancel(message.call);
  }
}

function openHost(message: Extract<ToSandbox, { type: 'init' }>): Host {
  const platform = hostImports(message, turns, (call, seq, fn, args) => {
    tell({ type: 'host_call', call: call.id, seq, interface: fn.interface, function: fn.function, args });
  });
  const wasi = wasiImports({
    write: (stream, bytes) => turns.current?.write(stream, bytes),
    charge: (bytes) => turns.current?.charge(bytes),
    sleep(ms) {
      const call = turns.current;
      turns.end();
      return new Promise((resolve) => call?.after(ms, () => turns.give(call, resolve)));
    },
    abort: () => turns.current?.unwind(),
  });
  const imports = Object.freeze(Object.assign(Object.create(null) as Record<string, object>, platform, wasi));
  return { turns, imports, interrupt: interruption.memory, started: locked.promise };
}

async function load(message: Extract<ToSandbox, { type: 'load' }>): Promise<void> {
  try {
    if (host === undefined) throw new Error('not initialised');
    calls.add(message.artifact, await Component.load(message, host));
    tell({ type: 'loaded', artifact: message.artifact });
  } catch (error) {
    // Made of the artifact alone, before any guest has run: it holds nothing of a tenant.
    tell({
      type: 'load_failed',
      artifact: message.artifact,
      message: error instanceof Error ? error.message : 'cannot be loaded',
    });
  }
}

function tell(message: FromSandbox): void {
  // An error here means that the channel is closed; `disconnect` ends the process.
  send?.(message, () => undefined);
}
