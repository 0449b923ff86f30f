// What is not known keeps state until proven otherwise: each change to jco's glue that could keep some is noticed.
import { componentOf } from '../test-support/component.ts';
import { transpileComponent } from '../transpile.ts';
import { sealGlue } from './seal.ts';
import { readGlue } from './shape.ts';

/** Glue with resources and asynchronous functions, as jco makes it. */
let plain: string;
beforeAll(async () => {
  const component = await componentOf({
    world: 'import secrets; import logging; import wasi:io/poll@0.2.0; import wasi:cli/stdout@0.2.0;',
    packages: `
      package wasi:io@0.2.0 {
        interface poll { resource pollable { block: func(); } poll: func(in: list<borrow<pollable>>) -> list<u32>; }
        interface streams { resource output-stream { check-write: func() -> result<u64>; } }
      }
      package wasi:cli@0.2.0 {
        interface stdout { use wasi:io/streams@0.2.0.{output-stream}; get-stdout: func() -> output-stream; }
      }`,
  });
  const made = await transpileComponent(component, { deadlineMs: 60_000, maxMemoryMb: 1_024 });
  if (!made.ok) throw new Error(made.message);
  const { source, result } = readGlue(new TextDecoder().decode(made.files.get(made.entry)));
  plain = `${source.slice(0, result.start)}return { handler, };${source.slice(result.end)}`;
}, 60_000);

const before = (place: string, text: string) => (source: string) => source.replace(place, () => `${text}\n${place}`);
const instead = (place: string, text: string) => (source: string) => source.replace(place, () => text);
const OUTER = 'const module0 = getCoreModule(';
const INNER = 'let exports0;';
const outer = (text: string) => before(OUTER, text);
const inner = (text: string) => before(INNER, text);

function changed(edit: (source: string) => string) {
  const source = edit(plain);
  expect(source).not.toBe(plain);
  return sealGlue(source);
}

it('glue of the pinned jco is sealed, with every variable known', () => {
  const sealed = sealGlue(plain);
  expect(sealed).toMatchObject({ ok: true, obstacle: undefined });
  expect(sealed.ok && sealed.source).toContain('$algaRestoreMap');
});

describe('state of an unknown form is an obstacle, by name:', () => {
  it.each<[string, (source: string) => string, RegExp]>([
    ['a variable that functions write', outer('let cache; function remember(x) { cache = x; }'), /writes to cache/],
    ['one in the generator', inner('let last; const keep = (x) => { last = x; };'), /writes to last/],
    ['a variable declared with var', outer('var cache = 0;'), /declared with var/],
    ['a weak map', outer('const cache = new WeakMap();'), /cache of the glue is initialised in an unknown way/],
    [
      'an object of a class',
      outer('const table = new RepTable({});'),
      /table of the glue is initialised in an unknown/,
    ],
    ['a buffer', outer('const buffer = new Uint8Array(8);'), /buffer of the glue is initialised in an unknown/],
    ['a regular expression', outer('const word = /a/g;'), /word of the glue is initialised in an unknown/],
    [
      'a decoder',
      outer('function f(bytes) { return utf16Decoder.decode(bytes, { stream: true }); }'),
      /decodes text in pieces/,
    ],
    [
      'the result of a function',
      outer('function make() { return []; } const kept = make(); function f() { kept.push(1); }'),
      /kept of the glue is initialised in an unknown/,
    ],
    [
      'a registry of finalisers that is used',
      inner('const finalizationRegistry7 = finalizationRegistryCreate(() => {}); finalizationRegistry7.register({});'),
      /finalizationRegistry7 of the glue is initialised in an unknown/,
    ],
    [
      'a member of a global',
      outer('const shared = Array.prototype;'),
      /shared of the glue is initialised in an unknown/,
    ],
    ['a global by another name', outer('const all = globalThis;'), /all of the glue is initialised in an unknown/],
    ['a promise', outer('const ready = Promise.resolve();'), /ready of the glue is initialised in an unknown/],
    [
      'a closure of a function that is called at once',
      outer('const id = (() => { let n = 0; return () => n++; })();'),
      /id of the glue is initialised in an unknown/,
    ],
    [
      'a closure that a function makes',
      outer('function counter() { let n = 0; return () => n++; } const id = counter();'),
      /a closure that counter makes keeps n/,
    ],
    [
      'a closure behind another function',
      outer(
        'function counter() { let n = 0; return () => { n += 1; }; } function outerCounter() { return counter(); } const id = outerCounter();',
      ),
      /a closure that counter makes keeps n/,
    ],
    [
      'a closure over an object',
      inner('function noted(meta) { return () => { meta.last = 1; }; } const note = noted({});'),
      /a closure that noted makes keeps meta/,
    ],
    [
      'an object that a function is bound to',
      inner('function note(meta, x) { meta.last = x; } const noting = note.bind(null, {});'),
      /note writes to what it is bound to/,
    ],
    [
      'a variable that a function is bound to',
      inner(
        'const kept = Symbol.for("x"); function note(meta, x) { meta.last = x; } const noting = note.bind(null, kept);',
      ),
      /a member of kept, which is not known/,
    ],
    [
      'a property of a function',
      outer('function f() { f.last = 1; }'),
      /a member of f, which is not known to hold state/,
    ],
    [
      'a property of a class',
      outer('class Kept { m() { Kept.list.push(1); } static list = new Map(); }'),
      /static member Kept.list of the glue is of an unknown form/,
    ],
    [
      'a private static',
      outer('class Kept { static #list = []; }'),
      /Kept of the glue has a static member that cannot be read/,
    ],
    ['a static block', outer('class Kept { static { this.x = []; } }'), /Kept of the glue has a static block/],
    ['a class with another above it', outer('class Kept extends Map {}'), /class Kept of the glue extends another/],
    ['a global', outer('function f() { globalThis.last = 1; }'), /writes to the global globalThis/],
    ['a prototype', outer('function f() { Array.prototype.last = 1; }'), /writes to the global Array/],
    [
      'what a function returns',
      outer('function f() { return []; } function g() { f().last = 1; }'),
      /a member of something that has no name/,
    ],
    ['a name that hides another', inner('const ASYNC_STATE = new Map();'), /declares ASYNC_STATE twice/],
    [
      'an import that is written',
      outer('const { x } = imports["y"]; function f() { x = 1; }'),
      /writes to x, which it takes from an import/,
    ],
    ['parts of something', outer('const [a] = [[]];'), /takes something apart that is not an import: a/],
    ['a loop', outer('for (const x of []) { x; }'), /a statement of an unknown form: ForOfStatement/],
    ['an if', outer('if (1 === 1) { globalThis; }'), /an if statement of an unknown form/],
    ['a container that is replaced', outer('let m = new Map(); function f() { m = new Map(); }'), /replaces m, a map/],
    ['a function that is replaced', outer('let h = () => 1; function f() { h = () => 2; }'), /writes to h, a function/],
    [
      'other handles',
      inner('const handleTable9 = [1, 2];'),
      /handleTable9 is not a table of handles of the known form/,
    ],
    ['handles of a map', inner('const handleTable9 = new Map();'), /handleTable9 is not a table of handles/],
    [
      'another way to component states',
      instead('ASYNC_STATE.set(componentIdx, newState);', 'ASYNC_STATE.set(componentIdx, Object.freeze(newState));'),
      /keeps the state of components elsewhere/,
    ],
    [
      'no component states',
      (source) => source.replaceAll('ASYNC_STATE', 'ASYNC_STATES'),
      /keeps the state of components elsewhere/,
    ],
  ])('%s', (_kind, edit, reason) => {
    expect(changed(edit)).toMatchObject({ ok: true, obstacle: expect.stringMatching(reason) });
  });

  it('and the instance then says that it cannot be put back', () => {
    const sealed = changed(outer('const cache = new WeakMap();'));
    expect(sealed.ok && sealed.source).toContain('restore: () => false');
  });
});

describe('glue of another outline is refused:', () => {
  it.each<[string, (source: string) => string, RegExp]>([
    [
      'a variable of the module',
      instead('export function instantiate(', 'const cache = {};\nexport function instantiate('),
      /the second statement of the glue is not/,
    ],
    [
      'a statement behind',
      (source) => `${source}\nexport const cache = {};`,
      /statements beside its function instantiate/,
    ],
    ['members of _util', instead('export const _util = {', 'export const _util = { cache: {},'), /statements beside/],
    [
      'another runner of the generator',
      instead(
        'const maybeSyncReturn = runNext(null);',
        'globalThis.runNext = runNext; const maybeSyncReturn = runNext(null);',
      ),
      /generator of the glue is run in another way/,
    ],
    ['no generator', (source) => source.replaceAll('_initGenerator', '_init'), /has no generator _initGenerator/],
    ['no handler', instead('return { handler, };', 'return { };'), /does not return a handler/],
    ['our own names', outer('const $algaPlain = 1;'), /uses the name \$alga/],
    ['no JavaScript', () => 'export function (', /is not JavaScript/],
    ['nothing', () => '', /the second statement of the glue is not/],
  ])('%s', (_kind, edit, reason) => {
    expect(changed(edit)).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  });
});

describe('what cannot keep state is no obstacle:', () => {
  it.each<[string, (source: string) => string]>([
    ['a variable of a function', outer('function f() { let n = 0; const g = () => { n++; }; g(); return n; }')],
    ['a constant', outer('const N = 1, S = `s`, M = -1, E = N === 1;')],
    ['a primitive that functions write: it is put back', outer('let n = 0; function f() { n++; }')],
    [
      'a list, a map, a set, a record: they are put back',
      outer('const l = [], m = new Map(), s = new Set(), r = {}; function f() { l[0] = r.x = 1; }'),
    ],
    ['a counter of a class: it is put back', outer('class C { static n = 0n; constructor() { C.n++; } }')],
    [
      'comments and spaces',
      (source) => source.replace('function runNext(value) {', 'function runNext(value)  { // run\n'),
    ],
  ])('%s', (_kind, edit) => {
    expect(changed(edit)).toMatchObject({ ok: true, obstacle: undefined });
  });
});
