import fc from 'fast-check';
import { capMemories } from './memory-cap.ts';

const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
/** A module with one memory of the given limits, exported as `m`. */
const withMemory = (...limits: number[]) =>
  Uint8Array.from([...PREAMBLE, 5, 1 + limits.length, 1, ...limits, 7, 5, 1, 1, 0x6d, 2, 0]);

function growthOf(module: Uint8Array): { pages: number; grows: (delta: number) => boolean } {
  const api = (globalThis as unknown as { WebAssembly: typeof WebAssembly }).WebAssembly;
  const memory = new api.Instance(new api.Module(module)).exports.m as {
    buffer: ArrayBuffer;
    grow(delta: number): number;
  };
  return {
    pages: memory.buffer.byteLength / 65_536,
    grows: (delta) => {
      try {
        memory.grow(delta);
        return true;
      } catch {
        return false;
      }
    },
  };
}

describe('capMemories', () => {
  it('gives a memory without a maximum the limit', () => {
    const memory = growthOf(capMemories(withMemory(0, 1), 300));
    expect(memory.pages).toBe(1);
    expect(memory.grows(299)).toBe(true);
    expect(memory.grows(1)).toBe(false);
  });

  it('lowers a maximum above the limit and keeps one below', () => {
    const lowered = growthOf(capMemories(withMemory(1, 1, 0x80, 0x04), 4));
    expect(lowered.grows(4)).toBe(false);
    expect(lowered.grows(3)).toBe(true);
    const kept = growthOf(capMemories(withMemory(1, 1, 2), 4));
    expect(kept.grows(2)).toBe(false);
  });

  it.each([
    ['a minimum above the limit', withMemory(0, 9)],
    ['a shared memory', withMemory(3, 1, 2)],
    ['a 64-bit memory', withMemory(4, 1)],
    ['a section that is cut off', withMemory(0, 1).subarray(0, 10)],
    ['a lying section length', Uint8Array.from([...PREAMBLE, 5, 0x7f, 1, 0, 1])],
    ['an endless number', Uint8Array.from([...PREAMBLE, 5, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1])],
  ])('refuses %s', (_name, module) => {
    expect(() => capMemories(module, 4)).toThrow();
  });

  it('ends on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (tail) => {
        try {
          capMemories(Uint8Array.from([...PREAMBLE, ...tail]), 16);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
  });
});
