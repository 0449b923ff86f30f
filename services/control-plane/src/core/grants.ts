import { CAPABILITIES, type FieldError, type ResolvedManifest } from '@alga/contracts';
import { type Refusal, refuse } from './refusal.ts';

/** What a tenant allows an extension: sorted, without repetition. */
export interface Grants {
  readonly capabilities: readonly string[];
  readonly egress: readonly string[];
}

type Declared = Pick<ResolvedManifest, 'capabilities' | 'egress'>;

/** What both the extension asked for and the tenant allowed, sorted (I6). */
export function effectiveGrants(manifest: Declared, grants: Grants): { capabilities: string[]; egress: string[] } {
  const both = (declared: readonly string[], granted: readonly string[]) =>
    declared.filter((item) => granted.includes(item)).sort();
  return {
    capabilities: both(manifest.capabilities, grants.capabilities),
    egress: both(manifest.egress, grants.egress),
  };
}

/** Grants within the manifest, normalised; else which one goes beyond it. `at` is the JSON pointer of the grants. */
export function checkGrants(manifest: Declared, grants: Grants, at = ''): { kind: 'valid'; grants: Grants } | Refusal {
  const unknown = beyond(grants.capabilities, CAPABILITIES, `${at}/capabilities`, 'does not exist');
  if (unknown.length > 0)
    return refuse('capability_unknown', `No such capability: ${names(unknown)}.`, { errors: unknown });
  const undeclared = [
    ...beyond(grants.capabilities, manifest.capabilities, `${at}/capabilities`, 'is not declared in the manifest'),
    ...beyond(grants.egress, manifest.egress, `${at}/egress`, 'is not declared in the manifest'),
  ];
  if (undeclared.length > 0) {
    return refuse('capability_undeclared', `The manifest does not declare: ${names(undeclared)}.`, {
      errors: undeclared,
    });
  }
  return { kind: 'valid', grants: { capabilities: normalise(grants.capabilities), egress: normalise(grants.egress) } };
}

const normalise = (items: readonly string[]): string[] => [...new Set(items)].sort();

const names = (errors: readonly FieldError[]): string => errors.map(({ reason }) => reason.split(' ')[0]).join(', ');

const beyond = (items: readonly string[], allowed: readonly string[], at: string, why: string): FieldError[] =>
  items.flatMap((item, index) =>
    allowed.includes(item) ? [] : [{ field: `${at}/${index}`, reason: `${item} ${why}` }],
  );
