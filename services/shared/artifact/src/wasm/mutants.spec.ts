// Binaries damaged at random. Whatever they have become, the scan refuses them as data or lets them pass; what passes is
// patched, which neither breaks a module nor makes one valid that was not.
import { buildGuest } from '@alga/fixtures';
import fc from 'fast-check';
import { scanComponent, scanModule } from './component.ts';
import { patchModule } from './patch.ts';
import type { WasmRefusal } from './refused.ts';
import { COMPONENT_SECTION } from './testing/component.ts';
import { concat } from './testing/core-module.ts';
import { program } from './testing/program.ts';
import { v8 } from './testing/v8.ts';

/** The same mutants in every run. */
const SEED = 20_261_124;
/** Takes a thousandth of it; a busy machine may stop for long. */
const MAX_MS = 1_000;

type Random = () => number;

/** mulberry32: 32 bits of state are enough to be different from each other. */
function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const below = (random: Random, limit: number) => Math.floor(random() * limit);
/** Bytes at which parsers go wrong: ends of numbers, opcodes, section ids, types. */
const TELLING = [
  0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0b, 0x0c, 0x0d, 0x10, 0x3f, 0x40, 0x41, 0x60, 0x7f, 0x80, 0xfc, 0xfd, 0xff,
];

interface Stretch {
  readonly start: number;
  /** Behind id and length. */
  readonly content: number;
  readonly end: number;
}

/** Places where sections of a core module or component begin, at the top level. */
function sectionsOf(bytes: Uint8Array): Stretch[] {
  const sections: Stretch[] = [];
  for (let at = 8; at < bytes.length; ) {
    const start = at++;
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0;
      length += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    sections.push({ start, content: at, end: at + length });
    at += length;
  }
  return sections;
}

const WHOLE: Stretch = { start: 8, content: 8, end: 8 };

function mutantOf(bytes: Uint8Array, random: Random): Uint8Array {
  const at = below(random, bytes.length);
  const byte = random() < 0.5 ? (TELLING[below(random, TELLING.length)] ?? 0) : below(random, 256);
  switch (below(random, 7)) {
    case 0: {
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] ?? 0) ^ (1 << below(random, 8));
      return flipped;
    }
    case 1:
    case 2: {
      const changed = bytes.slice();
      for (let times = 1 + below(random, 3); times > 0; times--) changed[below(random, bytes.length)] = byte;
      return changed;
    }
    case 3:
      return bytes.slice(0, at);
    case 4:
      return concat(bytes.subarray(0, at), [byte], bytes.subarray(at));
    case 5:
      return concat(bytes.subarray(0, at), bytes.subarray(at + 1 + below(random, 4)));
    default: {
      // A section once more, or one in the place of another.
      const sections = sectionsOf(bytes);
      const taken = sections[below(random, sections.length)] ?? WHOLE;
      const place = sections[below(random, sections.length)] ?? WHOLE;
      const rest = bytes.subarray(random() < 0.5 ? place.start : place.end);
      return concat(bytes.subarray(0, place.start), bytes.subarray(taken.start, taken.end), rest);
    }
  }
}

/** Undefined: V8 takes it. @throws whatever V8 throws that is not its own refusal. */
function compileError(bytes: Uint8Array): string | undefined {
  try {
    new v8.Module(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof v8.CompileError) return error.message;
    throw error;
  }
}

function expectRefusal(refusal: WasmRefusal): void {
  expect(refusal.code).toMatch(/^(malformed|too_complex|unsupported)$/);
  expect(refusal.message).toMatch(/^[\x20-\x7e]{5,200}$/);
}

/** @returns whether the module passed the scan. */
function checkModule(bytes: Uint8Array): boolean {
  const scanned = scanModule(bytes);
  if (!scanned.ok) {
    expectRefusal(scanned);
    return false;
  }
  expect([compileError(bytes), compileError(patchModule(scanned.module).bytes)]).toEqual([undefined, undefined]);
  return true;
}

/** @returns whether the component passed the scan. */
function checkComponent(bytes: Uint8Array): boolean {
  const scanned = scanComponent(bytes);
  if (!scanned.ok) {
    expectRefusal(scanned);
    return false;
  }
  for (const module of scanned.modules) compileError(patchModule(module).bytes);
  return true;
}

/** @returns how many of the mutants passed. */
function run(originals: readonly Uint8Array[], count: number, check: (bytes: Uint8Array) => boolean): number {
  const random = randomOf(SEED);
  let passed = 0;
  for (let index = 0; index < count; index++) {
    let mutant = originals[index % originals.length] ?? new Uint8Array();
    // Most of one mutation only: two or more rarely leave something that passes.
    const times = random() < 0.7 ? 1 : 2 + below(random, 3);
    for (let time = 0; time < times && mutant.length > 8; time++) mutant = mutantOf(mutant, random);
    const begin = performance.now();
    if (check(mutant)) passed++;
    expect(performance.now() - begin).toBeLessThan(MAX_MS);
  }
  return passed;
}

let component: Uint8Array;
let coreModules: Uint8Array[];

beforeAll(async () => {
  ({ component } = await buildGuest('c'));
  coreModules = [
    ...sectionsOf(component)
      .filter(({ start }) => component[start] === COMPONENT_SECTION.coreModule)
      .map(({ content, end }) => component.slice(content, end)),
    // Without the large data segment, most mutations would be in it.
    ...fc.sample(program({ largeSegment: false }), { seed: SEED, numRuns: 20 }),
  ];
}, 120_000);

describe('10,000 mutants', () => {
  it('of a component: refused as data or patched, each at once', () => {
    const passed = run([component], 5_000, checkComponent);
    // Neither all nor none: the mutations are worth trying.
    expect(passed).toBeGreaterThan(250);
    expect(passed).toBeLessThan(4_750);
  });

  it('of core modules: refused as data, or taken by V8 before the patch and after', () => {
    const passed = run(coreModules, 5_000, checkModule);
    expect(passed).toBeGreaterThan(250);
    expect(passed).toBeLessThan(4_750);
  });
});
