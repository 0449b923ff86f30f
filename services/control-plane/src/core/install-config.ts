import type { FieldError, ResolvedManifest } from '@alga/contracts';
import { type ConfigValue, canonicalConfig } from './canonical-config.ts';
import { type Refusal, refuse } from './refusal.ts';

/** What the reply of install.resolve can carry. In UTF-16 units, which bounds the bytes together with the message limit. */
const MAX_CONFIG_CHARS = 65_536;

type CheckedConfig = { readonly kind: 'valid'; readonly config: string } | Refusal;

/** Configuration against the manifest's declarations; on success its canonical text. A refusal names each bad key, no value. */
export function checkConfig(manifest: ResolvedManifest, values: Readonly<Record<string, unknown>>): CheckedConfig {
  const declared = new Map(manifest.config.map((declaration) => [declaration.key as string, declaration]));
  const config = new Map<string, ConfigValue>();
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(values)) {
    const declaration = declared.get(key);
    const field = `/config/${key.slice(0, 64)}`;
    if (declaration === undefined) errors.push({ field, reason: 'is not declared in the manifest' });
    else if (!isValue(value) || typeof value !== declaration.type) {
      errors.push({ field, reason: `must be a ${declaration.type}` });
    } else config.set(key, value);
  }
  for (const { key, required } of manifest.config) {
    if (required === true && !Object.hasOwn(values, key))
      errors.push({ field: `/config/${key}`, reason: 'is required' });
  }
  if (errors.length > 0) {
    const names = errors.map(({ field }) => field.slice('/config/'.length)).join(', ');
    return refuse('config_invalid', `The configuration does not match the manifest: ${names}.`, { errors });
  }
  const text = canonicalConfig(config);
  if (text.length > MAX_CONFIG_CHARS) {
    return refuse('config_invalid', `The configuration is over ${MAX_CONFIG_CHARS} characters.`, {
      errors: [{ field: '/config', reason: 'is too large' }],
      limit: MAX_CONFIG_CHARS,
    });
  }
  return { kind: 'valid', config: text };
}

// Lone surrogates have no UTF-8: the bytes that the guest sees would differ from what the hash covers.
function isValue(value: unknown): value is ConfigValue {
  if (typeof value === 'string') return value.isWellFormed();
  return typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value));
}
