import { fork } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMap, isUint8Array } from 'node:util/types';
import { HOST_FUNCTIONS, WIT_PACKAGE, WIT_VERSION } from '@alga/contracts';
import { underKernelLimits } from './kernel-limits.ts';
import { isPlainName, MAX_FILES, MAX_TOTAL_BYTES } from './plain-name.ts';
import { type ArtifactModule, type Engine, type Pool, parseTraits, type Runtime } from './traits.ts';
import {
  ENTRY,
  type ImportedFunction,
  TRANSPILE_FAILURES,
  TRANSPILE_STAGES,
  type TranspileFailure,
  type TranspileJob,
  type TranspileRefusal,
  type TranspileStage,
} from './transpile-protocol.ts';

interface TranspileOptions {
  /** Wall clock, in milliseconds; the child is killed when it is over. */
  readonly deadlineMs: number;
  /** What the child may allocate, in MiB, its heap and the transpiler's linear memory together. 12 MB of component take 400. */
  readonly maxMemoryMb: number;
  /** `legacy`: the bytes are a core module of the old raw ABI. */
  readonly runtime?: Runtime;
  /** Called as each stage begins. */
  readonly onStage?: (stage: TranspileStage) => void;
}

export type Transpiled =
  | {
      readonly ok: true;
      /** Glue that resolves to `{ handler, state }`, and patched core modules. */
      readonly files: Map<string, Uint8Array>;
      /** Which of them is loaded first. */
      readonly entry: string;
      /** As the component's world spells them, versions included. */
      readonly imports: string[];
      /** Functions of the platform's own interfaces among them. */
      readonly functions: ImportedFunction[];
      readonly runtime: Runtime;
      readonly engine: Engine;
      readonly modules: readonly ArtifactModule[];
      readonly pool: Pool;
    }
  | TranspileRefusal;

const CHILD = fileURLToPath(new URL('./transpile-child.ts', import.meta.url));
/** `\0asm`, then version 13, layer 1 for a component; version 1, layer 0 for a core module. */
const PREAMBLES: Readonly<Record<Runtime, Buffer>> = {
  component: Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00]),
  legacy: Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]),
};
/** Processor time of the child, in seconds: three times what the largest component takes on an idle machine. */
const MAX_CPU_SECONDS = 20;

/**
 * Turns a component into glue and patched core modules, in a child that is killed afterwards whatever happens. Nothing of
 * the component is run. A refusal is data; a rejection means that no child could be started.
 */
export async function transpileComponent(bytes: Uint8Array, options: TranspileOptions): Promise<Transpiled> {
  const { deadlineMs, maxMemoryMb, runtime = 'component', onStage } = options;
  const preamble = PREAMBLES[runtime];
  if (!preamble.equals(bytes.subarray(0, preamble.length))) {
    const what = runtime === 'component' ? 'component' : 'core module';
    return refuse('not_a_component', `the bytes do not begin with the preamble of a WebAssembly ${what}`);
  }
  const child = fork(CHILD, [], {
    cwd: '/',
    env: {},
    ...underKernelLimits({ memoryMb: maxMemoryMb, cpuSeconds: MAX_CPU_SECONDS }, childFlags(maxMemoryMb)),
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Transpiled>((resolve, reject) => {
      timer = setTimeout(() => resolve(refuse('timeout', `not done after ${deadlineMs} ms`)), deadlineMs);
      child.on('message', (message) => {
        const { type, stage, report } = (message ?? {}) as Record<string, unknown>;
        if (type === 'stage') announce(stage, onStage);
        else resolve(parseReport(report));
      });
      child.once('exit', (_code, signal) => resolve(endedWithout(signal)));
      child.once('error', reject);
      const job: TranspileJob = {
        bytes,
        runtime,
        wit: { name: WIT_PACKAGE, version: WIT_VERSION },
        suspending: SUSPENDING,
      };
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
const SUSPENDING = HOST_FUNCTIONS.flatMap((host) => [
  `${WIT_PACKAGE}/${host.interface}@${WIT_VERSION}#${host.witFunction}`,
  `${WIT_PACKAGE}/${host.interface}#${host.witFunction}`,
]);

// Reads its own packages and nothing else; no writing, network, children, addons. preview2-shim, which jco's own
// components are built on, starts a worker when it is loaded.
function childFlags(maxMemoryMb: number): string[] {
  const readable = [
    dirname(CHILD),
    packageFolder('@bytecodealliance/jco-transpile/component', '@bytecodealliance/jco-transpile'),
    packageFolder('@bytecodealliance/preview2-shim/cli', '@bytecodealliance/preview2-shim'),
    packageFolder('acorn', 'acorn'),
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
  return file.slice(0, file.lastIndexOf(`/${name}/`) + name.length + 1);
}

function announce(stage: unknown, onStage: TranspileOptions['onStage']): void {
  const known = TRANSPILE_STAGES.find((each) => each === stage);
  if (known !== undefined) onStage?.(known);
}

function endedWithout(signal: NodeJS.Signals | null): TranspileRefusal {
  if (signal === 'SIGXCPU') return refuse('timeout', `not done after ${MAX_CPU_SECONDS} s of processor time`);
  return refuse(
    'crashed',
    'the transpiler ended without a report: the component asks for too much memory, or hits a fault',
  );
}

function parseReport(report: unknown): Transpiled {
  const { ok, code, message, files, imports, functions, runtime, engine, modules, pool } = (report ?? {}) as Record<
    string,
    unknown
  >;
  if (ok !== true) {
    const known = TRANSPILE_FAILURES.find((each) => each === code);
    return refuse(known ?? 'component_invalid', typeof message === 'string' ? message : 'the component cannot be read');
  }
  if (!isFileMap(files) || !isStrings(imports) || !isFunctions(functions)) return wrongShape();
  const total = [...files.values()].reduce((sum, bytes) => sum + bytes.byteLength, 0);
  if (files.size > MAX_FILES || total > MAX_TOTAL_BYTES) {
    return refuse('too_large', `more than ${MAX_FILES} files or ${MAX_TOTAL_BYTES} bytes`);
  }
  if (!files.has(ENTRY)) return wrongShape();
  const described = parseTraits({ runtime, engine, modules, pool, sourceMap: null }, new Set(files.keys()));
  if (!described.ok) return wrongShape();
  const { sourceMap: _none, ...traits } = described.traits;
  return { ok: true, files, entry: ENTRY, imports, functions, ...traits };
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

function isFunctions(value: unknown): value is ImportedFunction[] {
  return (
    Array.isArray(value) &&
    value.every((item: unknown) => {
      const known = item as Partial<ImportedFunction> | null;
      return typeof known?.interface === 'string' && typeof known.function === 'string';
    })
  );
}

function wrongShape(): TranspileRefusal {
  return refuse('crashed', 'the transpiler sent a report of another shape');
}

function refuse(code: TranspileFailure, message: string): TranspileRefusal {
  return { ok: false, code, message };
}
