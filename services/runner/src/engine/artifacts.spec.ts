import { SandboxArtifacts } from './artifacts.ts';

const MIB = 1_048_576;

function setUp() {
  const asked: string[] = [];
  const artifacts = new SandboxArtifacts();
  const load = (key: string, mib: number, inUse: readonly string[] = []) =>
    artifacts.load(key, mib * MIB, new Set([key, ...inUse]), {
      load: () => asked.push(`load ${key}`),
      unload: (oldest) => asked.push(`unload ${oldest}`),
    });
  return { asked, artifacts, load };
}

describe('the artifacts of a sandbox', () => {
  it('are asked for once, however many calls wait', async () => {
    const { asked, artifacts, load } = setUp();
    const waiting = [load('a', 1), load('a', 1)];
    expect(artifacts.settle('a', { ok: true })).toBe(true);
    expect(await Promise.all(waiting)).toEqual([{ ok: true }, { ok: true }]);
    expect(await load('a', 1)).toEqual({ ok: true });
    expect(asked).toEqual(['load a']);
  });

  it('make room by bytes, the least recently used first, and never for what is in use', () => {
    const { asked, load } = setUp();
    void load('a', 80);
    void load('b', 80);
    void load('a', 80);
    void load('c', 80);
    expect(asked).toEqual(['load a', 'load b', 'load c', 'unload b']);
    void load('d', 80, ['a', 'c']);
    expect(asked.slice(4)).toEqual(['load d']);
  });

  it('are asked for again after a refusal, which takes no room', () => {
    const { asked, artifacts, load } = setUp();
    void load('a', 150);
    artifacts.settle('a', { ok: false, message: 'no' });
    void load('b', 150);
    void load('a', 1);
    expect(asked).toEqual(['load a', 'load b', 'load a']);
  });

  it('that nobody asked for are told so', () => {
    expect(setUp().artifacts.settle('a', { ok: true })).toBe(false);
  });
});
