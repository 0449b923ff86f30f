import { HANDLER_TYPE, PLATFORM_INTERFACES } from './platform-interfaces.ts';
import type { ImportedFunction, TranspileRefusal, WitPackage } from './transpile-protocol.ts';
import { WASI_MINIMUM } from './wasi-minimum.ts';
import type { Entity } from './wasm/interface-types.ts';

type CheckedInterface =
  | {
      readonly ok: true;
      /** Names of the imported interfaces, versions included. */
      readonly imports: string[];
      /** Of the platform's own package. */
      readonly functions: ImportedFunction[];
    }
  | TranspileRefusal;

/** WASI in the releases whose functions are those of 0.2.0, or more. */
const WASI_VERSION = /^0\.2\.\d{1,3}$/;
/** Parts that a refusal names; the rest is counted. */
const MAX_NAMED = 8;
const MAX_TYPE_CHARS = 160;

/**
 * Holds what a component imports and exports against what the platform offers, function by function.
 * @param imports as `scanComponent` found them.
 */
export function checkInterface(
  imports: ReadonlyMap<string, Entity>,
  exports: ReadonlyMap<string, Entity>,
  wit: WitPackage,
): CheckedInterface {
  const wrong: string[] = [];
  const interfaces: string[] = [];
  const functions: ImportedFunction[] = [];
  for (const [name, entity] of imports) {
    // Types that the world itself uses.
    if (entity.sort === 'type') continue;
    interfaces.push(name);
    const offered = offeredAs(name, entity, wit);
    if (!offered.ok) {
      wrong.push(offered.reason);
      continue;
    }
    for (const [member, { sort, ...described }] of offered.exports) {
      if (sort === 'type') continue;
      const text = 'text' in described ? described.text : '';
      const difference = sort === 'func' ? offered.compare(member, text) : 'is not a function';
      if (difference !== undefined) wrong.push(`${name}#${member} ${difference}`);
      else if (offered.interface !== undefined) functions.push({ interface: offered.interface, function: member });
    }
  }
  if (wrong.length > 0) return refuse('import_refused', `the component imports ${listed(wrong)}`);
  return handlerProblem(exports) ?? { ok: true, imports: interfaces, functions };
}

type Offered =
  | {
      readonly ok: true;
      /** Of the platform's package; undefined: WASI. */
      readonly interface: string | undefined;
      readonly exports: ReadonlyMap<string, Entity>;
      /** What is wrong with an imported function; undefined: nothing. */
      readonly compare: (member: string, type: string) => string | undefined;
    }
  | { readonly ok: false; readonly reason: string };

function offeredAs(name: string, entity: Entity, wit: WitPackage): Offered {
  if (entity.sort !== 'instance') return not(`${name}, which is not an interface`);
  const { exports } = entity;
  const [path = '', version, ...more] = name.split('@');
  const [owner = '', member = ''] = path.split('/');
  if (more.length > 0) return not(`${name}, which is not the name of an interface`);
  const used = [...exports].filter(([, { sort }]) => sort === 'func').map(([each]) => each);
  if (owner.startsWith('wasi:')) {
    const minimum = WASI_MINIMUM.get(path);
    if (minimum === undefined) return not(`${name} (${listed(used)}): extensions get no such part of WASI`);
    if (!WASI_VERSION.test(version ?? '')) return not(`${name}: extensions get WASI 0.2`);
    return {
      ok: true,
      interface: undefined,
      exports,
      compare: (each) => (minimum.includes(each) ? undefined : 'is a function of WASI that extensions do not get'),
    };
  }
  if (owner !== wit.name) return not(`${name} (${listed(used)}), which is not part of ${wit.name}`);
  // The name without a version is the package's older spelling, which the host still links.
  if (version !== undefined && version !== wit.version) {
    return not(`${name}, where this platform has ${wit.name} ${wit.version}`);
  }
  const offered = PLATFORM_INTERFACES.get(member);
  if (offered === undefined) return not(`${name} (${listed(used)}), an interface that ${wit.name} does not have`);
  return {
    ok: true,
    interface: member,
    exports,
    compare(each, type) {
      const expected = offered.get(each);
      if (expected === undefined) return 'is a function that the interface does not have';
      return expected === type ? undefined : `has another type here: ${difference(expected, type)}`;
    },
  };
}

function handlerProblem(exports: ReadonlyMap<string, Entity>): TranspileRefusal | undefined {
  const handler = exports.get('handler');
  if (handler?.sort !== 'func') return refuse('no_handler', 'the component does not export a function named handler');
  if (handler.text === HANDLER_TYPE) return undefined;
  return refuse('no_handler', `the exported handler has another type here: ${difference(HANDLER_TYPE, handler.text)}`);
}

/** Where two types part: what is expected from there on, and what is found. */
function difference(expected: string, found: string): string {
  let at = 0;
  while (at < expected.length && expected[at] === found[at]) at++;
  // From the beginning of the name in which they differ.
  const from = Math.max(0, expected.slice(0, at).search(/[\w-]*$/));
  const show = (text: string) => text.slice(from, from + MAX_TYPE_CHARS) || 'nothing';
  return `"${show(expected)}" is expected and "${show(found)}" found`;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMED).join('; ');
  if (names.length === 0) return 'no function';
  return names.length > MAX_NAMED ? `${shown} and ${names.length - MAX_NAMED} more` : shown;
}

function not(reason: string): Offered {
  return { ok: false, reason };
}

function refuse(code: TranspileRefusal['code'], message: string): TranspileRefusal {
  return { ok: false, code, message };
}
