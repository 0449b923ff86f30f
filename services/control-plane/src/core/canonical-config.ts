export type ConfigValue = string | number | boolean;

/**
 * Configuration as JSON text with sorted keys: equal configurations have equal bytes, so that `configSha256` in the
 * envelope and "nothing changed" are decided by comparing text. Values are scalars, which JSON writes in one way only.
 */
export function canonicalConfig(config: ReadonlyMap<string, ConfigValue>): string {
  const members = [...config]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return `{${members.join(',')}}`;
}
