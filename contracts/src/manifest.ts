import type { FieldError } from './errors.ts';
import { CAPABILITIES } from './generated/capabilities.ts';
import type { Limits, Manifest } from './generated/types.ts';
import { resolveLimits } from './limits.ts';
import { parse } from './validate.ts';

/** A manifest with every optional part filled in. */
export type ResolvedManifest = Required<Omit<Manifest, 'description' | 'limits'>> &
  Pick<Manifest, 'description'> & { limits: Limits };

type ParsedManifest =
  | { readonly ok: true; readonly manifest: ResolvedManifest }
  | { readonly ok: false; readonly code: 'manifest_invalid' | 'capability_unknown'; readonly errors: FieldError[] };

/** Manifest JSON, already decoded, into its resolved form. */
export function parseManifest(json: unknown): ParsedManifest {
  const parsed = parse('manifest', json);
  if (!parsed.ok) return { ok: false, code: 'manifest_invalid', errors: parsed.errors };
  const manifest = parsed.value;
  const unknown = manifest.capabilities.flatMap((capability, index) =>
    CAPABILITIES.includes(capability)
      ? []
      : [{ field: `/capabilities/${index}`, reason: `${capability} is not one of: ${CAPABILITIES.join(', ')}` }],
  );
  if (unknown.length > 0) return { ok: false, code: 'capability_unknown', errors: unknown };
  const twice = [...duplicates('/secrets', manifest.secrets), ...duplicates('/config', manifest.config)];
  if (twice.length > 0) return { ok: false, code: 'manifest_invalid', errors: twice };
  return {
    ok: true,
    manifest: {
      ...manifest,
      engine: manifest.engine ?? (manifest.runtime === 'legacy' ? 'native' : 'starlingmonkey'),
      egress: manifest.egress ?? [],
      secrets: manifest.secrets ?? [],
      config: manifest.config ?? [],
      limits: resolveLimits(manifest.limits),
    },
  };
}

function duplicates(at: string, items: readonly { key: string }[] = []): FieldError[] {
  const seen = new Set<string>();
  return items.flatMap(({ key }, index) => {
    if (!seen.has(key)) {
      seen.add(key);
      return [];
    }
    return [{ field: `${at}/${index}/key`, reason: `${key} is declared twice` }];
  });
}
