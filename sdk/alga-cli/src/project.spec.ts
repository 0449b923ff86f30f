import { manifest, SAMPLE_DIR, scratchDir } from '../spec/scratch.ts';
import { readProject } from './project.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((remove) => remove()));
});

async function problemOf(text: string | undefined) {
  const { dir, remove } = await scratchDir(text === undefined ? {} : { 'manifest.json': text });
  cleanups.push(remove);
  const outcome = await readProject(dir);
  if (outcome.ok) throw new Error('the manifest was accepted');
  return outcome.problem;
}

describe('readProject', () => {
  it('accepts the manifest of the sample', async () => {
    const outcome = await readProject(SAMPLE_DIR);
    expect(outcome).toMatchObject({ ok: true, value: { manifest: { extensionId: 'ticket-sync' } } });
  });

  it('says where a manifest is missing', async () => {
    expect(await problemOf(undefined)).toMatchObject({ kind: 'refused', code: 'manifest_not_found' });
  });

  it.each([
    ['{\n  "a": 1\n  "b": 2\n}', 3, 3],
    ['{\n  "a": 1,\n', 3, 1],
    ['', 1, 1],
  ])('names line and column of a syntax error in %j', async (text, line, column) => {
    expect(await problemOf(text)).toMatchObject({ code: 'manifest_invalid', file: 'manifest.json', line, column });
  });

  it('names the line and the field of a value that the schema refuses', async () => {
    const text = manifest({ version: 'one' });
    const line = text.split('\n').findIndex((row) => row.includes('"version"')) + 1;
    expect(await problemOf(text)).toMatchObject({
      code: 'manifest_invalid',
      line,
      errors: [{ field: '/version', reason: expect.any(String) }],
    });
  });

  it('names the line of the array that holds an unknown capability', async () => {
    const text = manifest({ capabilities: ['secrets.read'] });
    const line = text.split('\n').findIndex((row) => row.includes('"capabilities"')) + 1;
    expect(await problemOf(text)).toMatchObject({
      code: 'capability_unknown',
      line,
      errors: [{ field: '/capabilities/0', reason: expect.stringContaining('secrets.get') }],
    });
  });
});
