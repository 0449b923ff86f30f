import { HOST_FUNCTIONS, WIT_PACKAGE } from '@alga/contracts';
import type { Refusal } from './refusal.ts';
import type { ImportedFunction } from './version.ts';

/**
 * Holds the platform's functions that a component imports against what its manifest declares (I6). A build tool may import
 * an interface whole, so one declared capability of those that its imported functions need is enough; each call is checked
 * again, by function, when it is made.
 */
export function checkImports(
  functions: readonly ImportedFunction[],
  declared: readonly string[],
): { readonly ok: true } | Refusal {
  const needed = new Map<string, Set<string>>();
  for (const { interface: name, function: witFunction } of functions) {
    const host = HOST_FUNCTIONS.find((each) => each.interface === name && each.witFunction === witFunction);
    const capabilities = needed.get(name) ?? new Set();
    if (host !== undefined) capabilities.add(host.capability);
    needed.set(name, capabilities);
  }
  const errors = [...needed]
    .filter(([, capabilities]) => !declared.some((capability) => capabilities.has(capability)))
    .map(([name, capabilities]) => ({
      field: '/capabilities',
      reason: `${WIT_PACKAGE}/${name} is imported and needs ${[...capabilities].join(' or ') || 'what nobody can grant'}`,
    }));
  return errors.length === 0 ? { ok: true } : { ok: false, code: 'capability_undeclared', errors };
}
