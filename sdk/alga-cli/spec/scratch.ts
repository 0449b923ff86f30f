import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));

/** The sample that stands for a real extension. */
export const SAMPLE_DIR = join(REPOSITORY, 'sdk/samples/ticket-sync');

/**
 * A folder with the given files, removed with `remove`. It is inside the repository, because an extension resolves the
 * runtime from the folders above it.
 */
export async function scratchDir(files: Readonly<Record<string, string | Uint8Array>> = {}) {
  const parent = join(REPOSITORY, '.runtime/spec');
  await mkdir(parent, { recursive: true });
  const dir = await mkdtemp(join(parent, 'cli-'));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), content);
  }
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) };
}

/** A valid manifest with these parts replaced. */
export function manifest(parts: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify(
    {
      manifestVersion: 1,
      extensionId: 'probe',
      version: '1.2.3',
      title: 'Probe',
      runtime: 'component',
      component: 'component.wasm',
      capabilities: ['storage.read', 'storage.write', 'http.fetch', 'logging.write'],
      ...parts,
    },
    null,
    2,
  );
}

/** The smallest bytes that begin as a component does. */
export const COMPONENT_MAGIC = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00);

/** The sample's own files, to be built somewhere else. */
export async function sampleFiles(): Promise<Record<string, string>> {
  const names = ['manifest.json', 'src/index.ts'];
  const texts = await Promise.all(names.map((name) => readFile(join(SAMPLE_DIR, name), 'utf8')));
  return Object.fromEntries(names.map((name, index) => [name, texts[index] ?? '']));
}
