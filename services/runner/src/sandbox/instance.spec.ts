import fc from 'fast-check';
import { type Blueprint, Instance, memoryMaxima, StartsAboveLimit } from './instance.ts';

const memory = fc.record({ minPages: fc.nat({ max: 40 }), more: fc.nat({ max: 400 }) });

describe('memoryMaxima', () => {
  it('lets all memories of an instance together grow to the limit and no further', () => {
    fc.assert(
      fc.property(fc.array(fc.option(memory), { maxLength: 5 }), fc.nat({ max: 600 }), (memories, limit) => {
        const layout = memories.map((each, index) => ({
          name: `m${index}`,
          memory: each === null ? null : { minPages: each.minPages, maxPages: each.minPages + each.more },
        }));
        let maxima: ReturnType<typeof memoryMaxima>;
        try {
          maxima = memoryMaxima(layout, limit);
        } catch (error) {
          expect(error).toBeInstanceOf(StartsAboveLimit);
          return;
        }
        let total = 0;
        for (const { name, memory: declared } of layout) {
          const given = maxima.get(name);
          expect(given === undefined).toBe(declared === null);
          if (given === undefined || declared === null) continue;
          expect(given.initial).toBe(declared.minPages);
          expect(given.maximum).toBeGreaterThanOrEqual(given.initial);
          // What a module was compiled for: V8 refuses a memory that may grow further.
          expect(given.maximum).toBeLessThanOrEqual(declared.maxPages);
          total += given.maximum;
        }
        expect(total).toBeLessThanOrEqual(limit);
      }),
    );
  });

  it('gives what is left to the largest memory', () => {
    const layout = [
      { name: 'main', memory: { minPages: 145, maxPages: 8_192 } },
      { name: 'none', memory: null },
      { name: 'scratch', memory: { minPages: 0, maxPages: 8_192 } },
    ];
    expect(memoryMaxima(layout, 1_024)).toEqual(
      new Map([
        ['scratch', { initial: 0, maximum: 16 }],
        ['main', { initial: 145, maximum: 1_008 }],
      ]),
    );
  });
});

const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** A module that exports a mutable f64 as the registry's patch does. */
function globalModule(value: number): WebAssembly.Module {
  const bits = new Uint8Array(new Float64Array([value]).buffer);
  const name = new TextEncoder().encode('alga:g0');
  return new WebAssembly.Module(
    new Uint8Array([
      ...HEADER,
      ...[0x06, 13, 1, 0x7c, 1, 0x44, ...bits, 0x0b],
      ...[0x07, 4 + name.length, 1, name.length, ...name, 3, 0],
    ]),
  );
}

/** Whose glue instantiates `module` so many times. */
function blueprint(module: WebAssembly.Module, times: number, hasMemory: boolean): Blueprint {
  return {
    glue: {
      instantiate(getCoreModule, _imports, instantiateCore) {
        for (let count = 0; count < times; count++) instantiateCore(getCoreModule('m'));
        return { handler: async () => undefined, state: { save: () => undefined, restore: () => true } };
      },
      createMemory: (descriptor) => new WebAssembly.Memory(descriptor),
    },
    modules: new Map([['m', module]]),
    layout: [{ name: 'm', memory: hasMemory ? { minPages: 1, maxPages: 2 } : null }],
    imports: {},
    interrupt: new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }),
    reusable: true,
  };
}

describe('an instance', () => {
  const empty = new WebAssembly.Module(new Uint8Array(HEADER));

  it('has one memory of each module: its share of the limit is for one', async () => {
    expect((await Instance.create(blueprint(empty, 1, true), 16)).bytes).toBe(65_536);
    await expect(Instance.create(blueprint(empty, 2, true), 16)).rejects.toThrow('instantiated twice');
  });

  it('is made of so many core instances and no more', async () => {
    await Instance.create(blueprint(empty, 64, false), 16);
    await expect(Instance.create(blueprint(empty, 65, false), 16)).rejects.toThrow('too many core instances');
  });

  it('I4: is not used again where a global holds a NaN, whose bits may not come back', async () => {
    expect((await Instance.create(blueprint(globalModule(1.5), 1, false), 16)).reset()).toBe(true);
    expect((await Instance.create(blueprint(globalModule(Number.NaN), 1, false), 16)).reset()).toBe(false);
  });
});
