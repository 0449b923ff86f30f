// The commands of `alga`. They print and choose exit codes; the work is in the functions that they call.

import { readFile, stat } from 'node:fs/promises';
import { relative } from 'node:path';
import { Command, CommanderError } from 'commander';
import { type BuiltComponent, buildComponent } from './build-component.ts';
import { done, type Outcome, type Problem, type Progress, refused } from './outcome.ts';
import { packBundle } from './pack-bundle.ts';
import { publishBundle } from './publish-bundle.ts';
import { EXIT_CODES, renderProblem, renderSize, renderTime } from './report.ts';

/** Where a run of the program reads and writes. */
interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Set where the error output is a terminal whose last line can be written over. */
  readonly rewritesLines: boolean;
}

interface CommonOptions {
  readonly json?: true;
}

interface PublishCommandOptions extends CommonOptions {
  readonly registry: string;
  readonly tokenFile?: string;
}

/** Runs one command line (without node and script) and returns the exit code. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const asJson = args.includes('--json');
  let code: number = EXIT_CODES.ok;
  const finish = <Value extends object>(outcome: Outcome<Value>, sentence: (value: Value) => string): void => {
    if (outcome.ok) {
      terminal.out(asJson ? JSON.stringify({ ok: true, ...outcome.value }) : sentence(outcome.value));
      return;
    }
    code = EXIT_CODES[outcome.problem.kind];
    if (asJson) terminal.out(JSON.stringify(outcome));
    else terminal.err(renderProblem(outcome.problem));
  };

  const program = new Command('alga')
    .description('Builds, packs and publishes Alga extensions.')
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text.trimEnd()), writeErr: () => {} });
  const command = (name: string, description: string) =>
    program.command(name).description(description).option('--json', 'print one JSON object');

  command('build', 'build dist/component.wasm from manifest.json and src/index.ts')
    .argument('[dir]', "the extension's folder", '.')
    .action(async (dir: string) => {
      finish(await withProgress(terminal, asJson, (progress) => buildComponent(dir, progress)), builtSentence);
    });

  command('bundle', 'build where needed, and pack dist/bundle.tar.zst')
    .argument('[dir]', "the extension's folder", '.')
    .action(async (dir: string) => {
      finish(
        await withProgress(terminal, asJson, (progress) => packBundle(dir, progress)),
        (bundle) =>
          `${builtSentence(bundle.component)}\n` +
          `packed ${bundle.extensionId} ${bundle.version}: ${shown(bundle.path)}, ${renderSize(bundle.bytes)}, in ${renderTime(bundle.ms)}`,
      );
    });

  command('publish', 'publish a bundle, or the extension in a folder')
    .argument('[path]', 'a bundle.tar.zst, or the folder of an extension', '.')
    .requiredOption('--registry <url>', 'address of the registry')
    .option('--token-file <file>', 'file that holds the token; without it, the environment variable ALGA_TOKEN')
    .action(async (path: string, options: PublishCommandOptions) => {
      finish(
        await withProgress(terminal, asJson, (progress) => publish(path, options, terminal, progress)),
        ({ extensionId, version, contentHash }) => `published ${extensionId} ${version}\n${contentHash}`,
      );
    });

  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Asking for help is not a mistake.
    if (error.exitCode === 0) return EXIT_CODES.ok;
    const message = error.code === 'commander.help' ? 'No command was given.' : sentenceOf(error.message);
    finish(usage('usage', message, 'Run alga --help, or alga <command> --help.'), () => '');
  }
  return code;
}

async function publish(path: string, options: PublishCommandOptions, terminal: Terminal, progress: Progress) {
  const token = await readToken(options.tokenFile, terminal.env.ALGA_TOKEN);
  if (!token.ok) return token;
  const file = await bundleAt(path, progress);
  if (!file.ok) return file;
  progress(`publishing to ${URL.canParse(options.registry) ? new URL(options.registry).origin : 'the registry'}`);
  return publishBundle({ file: file.value, registry: options.registry, token: token.value, progress });
}

async function bundleAt(path: string, progress: Progress): Promise<Outcome<string>> {
  const kind = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (kind === undefined) {
    return refused({
      code: 'bundle_not_found',
      message: `There is nothing at ${path}.`,
      fix: 'Name a bundle.tar.zst, or the folder of an extension.',
    });
  }
  if (!kind.isDirectory()) return done(path);
  const bundle = await packBundle(path, progress);
  return bundle.ok ? done(bundle.value.path) : bundle;
}

// From a file or the environment only: arguments are visible to every user of the machine.
async function readToken(file: string | undefined, variable: string | undefined): Promise<Outcome<string>> {
  let text = variable;
  if (file !== undefined) {
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return usage('token_unreadable', `The token file ${file} cannot be read (${code}).`, 'Check --token-file.');
    }
  }
  const token = text?.trim() ?? '';
  if (token === '') {
    return usage('token_missing', 'There is no token.', 'Give a file as --token-file, or set ALGA_TOKEN.');
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    return usage('token_malformed', 'The token holds spaces or unusual characters.', 'Store nothing but the token.');
  }
  return done(token);
}

async function withProgress<Value>(
  terminal: Terminal,
  silent: boolean,
  work: (progress: Progress) => Promise<Value>,
): Promise<Value> {
  if (silent) return work(() => {});
  // Back to the start of the line, and clear it.
  if (!terminal.rewritesLines) return work(terminal.err);
  try {
    return await work((line) => terminal.err(`\r\u001b[2K${line}`));
  } finally {
    terminal.err('\r\u001b[2K');
  }
}

function usage(code: string, message: string, fix: string): { ok: false; problem: Problem } {
  return { ok: false, problem: { kind: 'usage', code, message, fix } };
}

function builtSentence(component: BuiltComponent): string {
  const what = component.unchanged ? 'unchanged' : 'built';
  const size = renderSize(component.bytes);
  const sizes =
    component.sourceBytes === 0 ? size : `${size} with the engine, ${renderSize(component.sourceBytes)} of source`;
  return [
    `${what} ${shown(component.path)}: ${sizes}, in ${renderTime(component.ms)}`,
    ...component.notes.map((note) => `note: ${note}`),
    component.contentHash,
  ].join('\n');
}

const shown = (path: string): string => relative(process.cwd(), path);

function sentenceOf(message: string): string {
  const text = message.replace(/^error: /, '');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}
