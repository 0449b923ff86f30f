import { type FieldError, HOST_FUNCTIONS, WIT_PACKAGE, WIT_VERSION } from '@alga/contracts';
import type { Refusal } from './refusal.ts';

/** Interfaces that hold types only: importing one asks for nothing. */
const TYPES_ONLY = new Set(['types']);
const COMPONENT = 'component.wasm';

/** Capabilities of each interface that has functions. */
const CAPABILITIES_OF = new Map(
  HOST_FUNCTIONS.map((host) => [
    host.interface,
    [...new Set(HOST_FUNCTIONS.filter((each) => each.interface === host.interface).map((each) => each.capability))],
  ]),
);

/**
 * Holds what a component imports against what its manifest declares (I6). The granularity is the interface, since that is
 * what a component's type tells; each call is checked again, by function, when it is made.
 * @param imports as the component's world spells them, versions included.
 */
export function checkImports(imports: readonly string[], declared: readonly string[]): { readonly ok: true } | Refusal {
  const foreign: FieldError[] = [];
  const undeclared: FieldError[] = [];
  for (const name of imports) {
    const host = hostInterface(name);
    if (!host.ok) {
      foreign.push({ field: COMPONENT, reason: host.reason });
      continue;
    }
    const capabilities = CAPABILITIES_OF.get(host.interface) ?? [];
    if (capabilities.length === 0 || capabilities.some((capability) => declared.includes(capability))) continue;
    undeclared.push({ field: '/capabilities', reason: `${name} is imported and needs ${capabilities.join(' or ')}` });
  }
  if (foreign.length > 0) return { ok: false, code: 'component_invalid', errors: foreign };
  if (undeclared.length > 0) return { ok: false, code: 'capability_undeclared', errors: undeclared };
  return { ok: true };
}

type HostInterface =
  | { readonly ok: true; readonly interface: string }
  | { readonly ok: false; readonly reason: string };

function hostInterface(name: string): HostInterface {
  if (name.startsWith('wasi:')) {
    return { ok: false, reason: `imports ${name}: extensions get no WASI, only ${WIT_PACKAGE}` };
  }
  const [path = '', version, ...more] = name.split('@');
  const [owner, member, ...deeper] = path.split('/');
  if (owner !== WIT_PACKAGE || member === undefined || deeper.length > 0 || more.length > 0) {
    return { ok: false, reason: `imports ${name}, which is not part of ${WIT_PACKAGE}` };
  }
  // The unversioned name is the package's older spelling, which the host still links.
  if (version !== undefined && version !== WIT_VERSION) {
    return { ok: false, reason: `imports ${name}: this platform has ${WIT_PACKAGE} ${WIT_VERSION}` };
  }
  if (!CAPABILITIES_OF.has(member) && !TYPES_ONLY.has(member)) {
    return { ok: false, reason: `imports ${name}, an interface that ${WIT_PACKAGE} does not have` };
  }
  return { ok: true, interface: member };
}
