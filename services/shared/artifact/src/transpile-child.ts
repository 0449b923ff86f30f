// The disposable child of transpile.ts: one job in, one report out. It is the only process in which anything parses bytes
// that a stranger uploaded. Our own scan comes first; jco and V8 get to see what has passed it. Nothing is instantiated.
import { generate, $init as initBindgen } from '@bytecodealliance/jco-transpile/component';
import { checkInterface } from './check-interface.ts';
import { checkLegacy, legacyGlue } from './check-legacy.ts';
import { engineOf } from './engine-of.ts';
import { sealGlue } from './glue/seal.ts';
import type { ArtifactModule, Pool } from './traits.ts';
import {
  ENTRY,
  TRANSPILED_NAME,
  type TranspiledFiles,
  type TranspileJob,
  type TranspileMessage,
  type TranspileRefusal,
  type TranspileStage,
} from './transpile-protocol.ts';
import { scanComponent, scanModule } from './wasm/component.ts';
import { patchModule } from './wasm/patch.ts';

/** Long enough for a validator's sentence with its offset, or a list of imports. */
const MAX_MESSAGE_CHARS = 1_000;
const LEGACY_MODULE = `${TRANSPILED_NAME}.core.wasm`;

// A parent that is gone wants no report.
process.once('disconnect', () => process.exit(0));
process.once('message', (job: TranspileJob) => {
  run(job).then(
    (report) => send({ type: 'report', report: report.ok ? report : readable(report) }, () => process.disconnect?.()),
    // A fault in the child is the parent's to report: it sees the exit code.
    () => process.exit(70),
  );
});

async function run(job: TranspileJob): Promise<Report> {
  return job.runtime === 'component' ? transpile(job) : bridge(job);
}

type Report = TranspiledFiles | TranspileRefusal;

function send(message: TranspileMessage, sent: () => void = () => undefined): void {
  process.send?.(message, sent);
}

function begin(stage: TranspileStage): void {
  send({ type: 'stage', stage });
}

async function transpile({ bytes, wit, suspending }: TranspileJob): Promise<Report> {
  begin('structure');
  const scanned = scanComponent(bytes);
  if (!scanned.ok) return scanned;
  begin('imports');
  const checked = checkInterface(scanned.imports, scanned.exports, wit);
  if (!checked.ok) return checked;
  begin('transpile');
  await initBindgen;
  let generated: ReturnType<typeof generate>;
  try {
    generated = generate(bytes, options([...suspending, ...suspendingPolls(checked.imports)]));
  } catch (error) {
    return invalid(error);
  }
  begin('patch');
  const files = new Map(generated.files);
  const glue = sealGlue(new TextDecoder().decode(files.get(ENTRY)));
  if (!glue.ok) return { ok: false, code: 'glue_unknown', message: glue.reason };
  files.set(ENTRY, new TextEncoder().encode(glue.source));
  const patched = patchAll(files);
  if (!patched.ok) return patched;
  const reason = glue.obstacle ?? patched.notReusable;
  return {
    ok: true,
    files,
    imports: checked.imports,
    functions: checked.functions,
    runtime: 'component',
    engine: engineOf(scanned.modules),
    modules: patched.modules,
    pool: poolOf(reason),
  };
}

/** A core module of the old raw ABI: its glue is ours and always the same. */
function bridge({ bytes, wit }: TranspileJob): Report {
  begin('structure');
  const scanned = scanModule(bytes);
  if (!scanned.ok) return scanned;
  begin('imports');
  const checked = checkLegacy(scanned.module, wit);
  if (!checked.ok) return checked;
  begin('patch');
  const files = new Map<string, Uint8Array>([
    [ENTRY, legacyGlue()],
    [LEGACY_MODULE, bytes],
  ]);
  const patched = patchAll(files);
  if (!patched.ok) return patched;
  return {
    ok: true,
    files,
    imports: checked.imports,
    functions: checked.functions,
    runtime: 'legacy',
    engine: 'legacy',
    modules: patched.modules,
    pool: poolOf(patched.notReusable),
  };
}

type Patched =
  | { readonly ok: true; readonly modules: ArtifactModule[]; readonly notReusable: string | undefined }
  | TranspileRefusal;

/** Puts a patched module in the place of each core module among the files. */
function patchAll(files: Map<string, Uint8Array>): Patched {
  const modules: ArtifactModule[] = [];
  let notReusable: string | undefined;
  for (const [name, bytes] of files) {
    if (!name.endsWith('.wasm')) continue;
    const scanned = scanModule(bytes);
    if (!scanned.ok) return { ...scanned, message: `${name}: ${scanned.message}` };
    const patched = patchModule(scanned.module);
    try {
      // Types of operands are V8's to check; what it refuses now, no sandbox would load later.
      new WebAssembly.Module(patched.bytes as Uint8Array<ArrayBuffer>);
    } catch (error) {
      return invalid(error, `${name}: `);
    }
    files.set(name, patched.bytes);
    modules.push({ name, memory: patched.memory });
    if (patched.notReusable !== undefined) notReusable ??= `${name} is used once: ${patched.notReusable}`;
  }
  return { ok: true, modules, notReusable };
}

function poolOf(reason: string | undefined): Pool {
  return reason === undefined ? { reusable: true } : { reusable: false, reason };
}

function options(suspending: string[]): Parameters<typeof generate>[1] {
  return {
    name: TRANSPILED_NAME,
    map: [],
    instantiation: { tag: 'async' },
    asyncMode: { tag: 'jspi', val: { imports: suspending, exports: ['handler'] } },
    validLiftingOptimization: false,
    tracing: false,
    noComponentErrorWrapping: true,
    noNodejsCompat: true,
    noTypescript: true,
    tlaCompat: false,
    base64Cutoff: 0,
    noNamespacedExports: true,
    multiMemory: false,
    bindgenEnableWasmExnref: false,
    strict: false,
    flagsAsBigint: false,
    variantsInlineCases: false,
    useNamespaceObjects: false,
    enumValuesScreamingSnakeCase: false,
    asmjs: false,
  };
}

/** Timers: the guest waits in them, whatever release of WASI it was built for. */
function suspendingPolls(imports: readonly string[]): string[] {
  const polls = imports.filter((name) => name.startsWith('wasi:io/poll@'));
  return polls.flatMap((name) => [`${name}#poll`, `${name}#[method]pollable.block`]);
}

function invalid(error: unknown, prefix = ''): TranspileRefusal {
  const payload = typeof error === 'object' && error !== null && 'payload' in error ? error.payload : undefined;
  const text =
    typeof payload === 'string' ? payload : error instanceof Error ? error.message : 'the component cannot be read';
  return { ok: false, code: 'component_invalid', message: prefix + text };
}

/** Names in it come from the component: without control characters, and no longer than a log line. */
function readable(refusal: TranspileRefusal): TranspileRefusal {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not reach a log.
  const message = refusal.message.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
  return { ...refusal, message: message.slice(0, MAX_MESSAGE_CHARS) };
}
