import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { prepareSandboxProgram } from './program.ts';

describe('the program of the sandboxes', () => {
  let parent: string;

  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'alga-program-spec-'));
  });

  afterEach(() => rmSync(parent, { recursive: true, force: true }));

  it('is written once and shared by those that come later', () => {
    const first = prepareSandboxProgram(parent);
    expect(existsSync(first.main)).toBe(true);
    expect(prepareSandboxProgram(parent)).toEqual(first);
    expect(readdirSync(parent)).toHaveLength(1);
  });

  it('holds neither specs nor anything else that a sandbox does not need', () => {
    expect(
      readdirSync(dirname(prepareSandboxProgram(parent).main)).filter((file) => !/^[a-z-]+\.mjs$/.test(file)),
    ).toEqual([]);
  });

  it('is not taken from a folder that others can write to', () => {
    const { folder: shared } = prepareSandboxProgram(parent);
    rmSync(shared, { recursive: true });
    mkdirSync(shared);
    chmodSync(shared, 0o777);
    // Something in it: an empty folder would simply be replaced.
    mkdirSync(join(shared, 'main.mjs'));
    const own = prepareSandboxProgram(parent);
    expect(own.folder).not.toBe(shared);
    expect(existsSync(own.main)).toBe(true);
  });
});
