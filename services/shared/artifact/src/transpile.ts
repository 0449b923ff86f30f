import { fork } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMap, isUint8Array } from 'node:util/types';
import { HOST_FUNCTIONS, WIT_PACKAGE, WIT_VERSION } from '@alga/contracts';
import { isPlainName, MAX_FILES, MAX_TOTAL_BYTES } from './plain-name.ts';
import { TRANSPILED_NAME, type TranspileJob } from './transpile-protocol.ts';

interface TranspileLimits {
  /** Wall clock, in milliseconds; the child is killed when it is over. */
  readonly deadlineMs: number;
  /** V8 heap of the child, in MiB. The bindgen's own linear memory comes on top. */
  readonly maxMemoryMb: number;
}

/** Why a component was refused. `crashed` covers an exhausted heap too. */
type TranspileFailure = 'not_a_component' | 'component_invalid' | 'no_handler' | 'too_large' | 'timeout' | 'crashed';

type Transpiled =
  | {
      readonly ok: true;
      readonly files: Map<string, Uint8Array>;
      /** As the component's world spells them, versions included. */
      readonly imports: string[];
      readonly entry: string;
    }
  | { readonly ok: false; readonly code: TranspileFailure; readonly message: string };

const CHILD = fileURLToPath(new URL('./transpile-child.ts', import.meta.url));
const HANDLER = 'handler';
/** `\0asm`, then version 13, layer 1: a component. A core module has version 1, layer 0. */
const COMPONENT_PREAMBLE = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00]);

/**
 * Turns a component into glue and core modules with jco, in a child that is killed afterwards whatever happens.
 * Nothing of the component is run. A refusal is data; a rejection means that no child could be started.
 */
export async function transpileComponent(component: Uint8Array, limits: TranspileLimits): Promise<Transpiled> {
  if (!COMPONENT_PREAMBLE.equals(component.subarray(0, COMPONENT_PREAMBLE.length))) {
    return refuse('not_a_component', 'the bytes do not begin with the preamble of a WebAssembly component');
  }
  const child = fork(CHILD, [], {
    cwd: '/',
    env: {},
    execArgv: childFlags(limits.maxMemoryMb),
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Transpiled>((resolve, reject) => {
      timer = setTimeout(() => resolve(refuse('timeout', `not done after ${limits.deadlineMs} ms`)), limits.deadlineMs);
      child.once('message', (report) => resolve(parseReport(report)));
      child.once('exit', () => resolve(refuse('crashed', 'the transpiler ended without a report')));
      child.once('error', reject);
      const job: TranspileJob = { component, asyncImports: asyncImports(), asyncExports: [HANDLER] };
      // A failed send is followed by the exit event, which settles the call.
      child.send(job, () => undefined);
    });
  } finally {
    clearTimeout(timer);
    // The child is disposable: it is not asked to stop.
    if (child.pid !== undefined) {
      child.kill('SIGKILL');
      await exited;
    }
  }
}

// Both spellings: components built against the old, unversioned package must suspend in the same places.
function asyncImports(): string[] {
  return HOST_FUNCTIONS.flatMap((host) => [
    `${WIT_PACKAGE}/${host.interface}@${WIT_VERSION}#${host.witFunction}`,
    `${WIT_PACKAGE}/${host.interface}#${host.witFunction}`,
  ]);
}

// Reads its own packages and nothing else; no writing, network, children, addons. preview2-shim, which jco's own
// components are built on, starts a worker when it is loaded.
function childFlags(maxMemoryMb: number): string[] {
  const readable = [
    dirname(CHILD),
    packageFolder('@bytecodealliance/jco-transpile/component', '@bytecodealliance/jco-transpile'),
    packageFolder('@bytecodealliance/preview2-shim/cli', '@bytecodealliance/preview2-shim'),
  ];
  return [
    '--permission',
    '--allow-worker',
    ...readable.map((folder) => `--allow-fs-read=${folder}`),
    '--no-addons',
    '--disable-sigusr1',
    '--disallow-code-generation-from-strings',
    `--max-old-space-size=${maxMemoryMb}`,
    '--disable-warning=SecurityWarning',
  ];
}

function packageFolder(specifier: string, name: string): string {
  const file = fileURLToPath(import.meta.resolve(specifier));
  return file.slice(0, file.lastIndexOf(name) + name.length);
}

function parseReport(report: unknown): Transpiled {
  const { ok, message, files, imports, exports } = (report ?? {}) as Record<string, unknown>;
  if (ok !== true) {
    return refuse('component_invalid', typeof message === 'string' ? message : 'the component cannot be read');
  }
  if (!isFileMap(files) || !isStrings(imports) || !isStrings(exports)) {
    return refuse('crashed', 'the transpiler sent a report of another shape');
  }
  const total = [...files.values()].reduce((sum, bytes) => sum + bytes.byteLength, 0);
  if (files.size > MAX_FILES || total > MAX_TOTAL_BYTES) {
    return refuse('too_large', `more than ${MAX_FILES} files or ${MAX_TOTAL_BYTES} bytes`);
  }
  const entry = `${TRANSPILED_NAME}.js`;
  if (!files.has(entry)) return refuse('crashed', 'the transpiler made no glue module');
  if (!exports.includes(HANDLER)) return refuse('no_handler', `the component does not export ${HANDLER}`);
  return { ok: true, files, imports, entry };
}

function isFileMap(value: unknown): value is Map<string, Uint8Array> {
  return (
    isMap(value) &&
    [...value].every(([name, bytes]) => typeof name === 'string' && isPlainName(name) && isUint8Array(bytes))
  );
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function refuse(code: TranspileFailure, message: string): Transpiled {
  return { ok: false, code, message };
}
