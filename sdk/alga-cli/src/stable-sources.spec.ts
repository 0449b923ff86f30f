import { join } from 'node:path';
import { scratchDir } from '../spec/scratch.ts';
import { stableSources } from './stable-sources.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((remove) => remove()));
});

async function namesOf(sources: readonly string[]): Promise<unknown> {
  const { dir, remove } = await scratchDir({
    'a/extension/src/index.ts': '',
    'a/package.json': '{}',
    'linked/package.json': '{"name":"@partner/linked"}',
    'linked/src/deep/x.ts': '',
  });
  cleanups.push(remove);
  const map = JSON.stringify({ version: 3, sources, mappings: 'AAAA', names: [] });
  const stable = JSON.parse(stableSources(map, join(dir, 'a/extension'))) as { sources: string[]; mappings: string };
  expect(stable.mappings).toBe('AAAA');
  return stable.sources;
}

describe('stableSources', () => {
  it("leaves the extension's own sources and what the bundler made", async () => {
    const own = ['src/index.ts', 'node_modules/x/y.js', 'alga-entry.js', 'alga-denied:secrets'];
    expect(await namesOf(own)).toEqual(own);
  });

  it('names packages that are installed above the folder as if they were in it', async () => {
    expect(await namesOf(['../../node_modules/@s/p/a.js', '../node_modules/p/node_modules/q/a.js'])).toEqual([
      'node_modules/@s/p/a.js',
      'node_modules/q/a.js',
    ]);
  });

  it('names linked packages by their name, passing over a package.json that has none', async () => {
    expect(await namesOf(['../../linked/src/deep/x.ts'])).toEqual(['@partner/linked/src/deep/x.ts']);
    // The next package above the scratch folder is the repository.
    expect(await namesOf(['../shared.ts'])).toEqual([expect.stringMatching(/^alga\/.*\/a\/shared\.ts$/)]);
  });
});
