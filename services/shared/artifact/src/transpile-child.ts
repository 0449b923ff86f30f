// The disposable child of transpile.ts: one job in, one report out. It is the only process in which jco's parser meets
// bytes that a stranger uploaded.
import { generate, $init as initBindgen } from '@bytecodealliance/jco-transpile/component';
import { componentWit } from '@bytecodealliance/jco-transpile/wasm-tools';
import { TRANSPILED_NAME, type TranspileJob, type TranspileReport } from './transpile-protocol.ts';

/** Long enough for a validator's sentence with its offset. */
const MAX_MESSAGE_CHARS = 400;

// A parent that is gone wants no report.
process.once('disconnect', () => process.exit(0));
process.once('message', (job: TranspileJob) => {
  run(job).then(
    (report) => process.send?.(report, () => process.disconnect?.()),
    // A fault in the child is the parent's to report: it sees the exit code.
    () => process.exit(70),
  );
});

async function run({ component, asyncImports, asyncExports }: TranspileJob): Promise<TranspileReport> {
  await initBindgen;
  try {
    const imports = importsOf(await componentWit(component));
    const generated = generate(component, {
      name: TRANSPILED_NAME,
      map: [],
      instantiation: { tag: 'async' },
      asyncMode: { tag: 'jspi', val: { imports: [...asyncImports], exports: [...asyncExports] } },
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
    });
    return { ok: true, files: new Map(generated.files), imports, exports: generated.exports.map(([name]) => name) };
  } catch (error) {
    return { ok: false, message: describe(error) };
  }
}

// jco reports imports without their versions; the world's own text has them, and a world of another major must not pass.
function importsOf(wit: string): string[] {
  const world = wit.slice(wit.indexOf('world root'));
  return [...world.slice(0, world.indexOf('\n}')).matchAll(/^ {2}import ([^;{]+?)(?:;|: | \{)/gm)].map(
    (match) => match[1] ?? '',
  );
}

function describe(error: unknown): string {
  const payload = typeof error === 'object' && error !== null && 'payload' in error ? error.payload : undefined;
  const text =
    typeof payload === 'string' ? payload : error instanceof Error ? error.message : 'the component cannot be read';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not reach a log.
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').slice(0, MAX_MESSAGE_CHARS);
}
