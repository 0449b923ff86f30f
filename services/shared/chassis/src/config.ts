import { readFileSync } from 'node:fs';
import { Secret } from '@alga/contracts';

/** What one setting must look like. `read` gets the raw text and returns the value or why it is refused. */
export interface Setting<T> {
  readonly env: string;
  /** In words, for the person who has to fix it. */
  readonly shape: string;
  readonly fallback?: T;
  readonly read: (raw: string) => { ok: true; value: T } | { ok: false; reason: string };
}

export type Settings<C> = { readonly [K in keyof C]: Setting<C[K]> };

/** One sentence per bad setting: its name, the shape it must have, and the fix. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const accept = <T>(value: T) => ({ ok: true, value }) as const;
const refuse = (reason: string) => ({ ok: false, reason }) as const;
const withFallback = <T>(setting: Setting<T>, fallback: T | undefined): Setting<T> =>
  fallback === undefined ? setting : { ...setting, fallback };

/** Text that matches a pattern (any non-empty text if none is given). */
export function text(
  env: string,
  options: { fallback?: string; pattern?: RegExp; shape?: string } = {},
): Setting<string> {
  const { pattern, shape = 'text', fallback } = options;
  return withFallback(
    { env, shape, read: (raw) => (pattern?.test(raw) === false ? refuse('does not match') : accept(raw)) },
    fallback,
  );
}

/** A whole number within bounds; units belong into the setting's name. */
export function integer(env: string, options: { min: number; max: number; fallback?: number }): Setting<number> {
  const { min, max, fallback } = options;
  const read = (raw: string) => {
    const value = Number(raw);
    return /^-?[0-9]{1,15}$/.test(raw) && value >= min && value <= max ? accept(value) : refuse('is out of range');
  };
  return withFallback({ env, shape: `a whole number from ${min} to ${max}`, read }, fallback);
}

/** An absolute URL with one of the schemes. */
export function url(env: string, schemes: readonly string[], fallback?: string): Setting<string> {
  const read = (raw: string) => {
    const parsed = URL.parse(raw);
    return parsed !== null && schemes.includes(parsed.protocol.slice(0, -1))
      ? accept(raw)
      : refuse('is not such a URL');
  };
  return withFallback(
    { env, shape: `a URL beginning with ${schemes.map((s) => `${s}://`).join(' or ')}`, read },
    fallback,
  );
}

/** As `url`, but absent is allowed. */
export function optionalUrl(env: string, schemes: readonly string[]): Setting<string | undefined> {
  return { ...url(env, schemes), fallback: undefined } as Setting<string | undefined>;
}

/** Comma-separated items, each matching the pattern. Absent: none. */
export function list(env: string, pattern: RegExp, shape: string): Setting<readonly string[]> {
  const read = (raw: string) => {
    const items = raw.split(',').map((item) => item.trim());
    return items.every((item) => pattern.test(item)) ? accept(items) : refuse('holds an item that does not match');
  };
  return { env, shape: `comma-separated: ${shape}`, read, fallback: [] };
}

/** A file whose content is a secret; a byte order mark and a trailing newline are not part of it. */
export function secretFile(env: string): Setting<Secret> {
  const setting = fileText(env, 'the path of a readable, non-empty file');
  const read = (raw: string) => {
    const result = setting.read(raw);
    return result.ok ? accept(new Secret(result.value)) : result;
  };
  return { env, shape: setting.shape, read };
}

/** As `secretFile`, but absent is allowed. */
export function optionalSecretFile(env: string): Setting<Secret | undefined> {
  return { ...secretFile(env), fallback: undefined } as Setting<Secret | undefined>;
}

/** A file that holds JSON, turned into a value by `parse`, which throws with a reason that names no content. */
export function jsonFile<T>(env: string, shape: string, parse: (json: unknown) => T): Setting<T> {
  const file = fileText(env, `the path of ${shape}`);
  const read = (raw: string) => {
    const result = file.read(raw);
    if (!result.ok) return result;
    let json: unknown;
    try {
      json = JSON.parse(result.value);
    } catch {
      return refuse('names a file that is not JSON'); // the parser's message would quote the content
    }
    try {
      return accept(parse(json));
    } catch (error) {
      return refuse(`names a file that is refused: ${error instanceof Error ? error.message : 'not valid'}`);
    }
  };
  return { env, shape: file.shape, read };
}

/** A path that is only handed on. */
export const path = (env: string): Setting<string> => text(env, { shape: 'a path' });

function fileText(env: string, shape: string): Setting<string> {
  const read = (raw: string) => {
    try {
      const content = readFileSync(raw, 'utf8')
        .replace(/^\uFEFF/, '')
        .replace(/\r?\n$/, '');
      return content === '' ? refuse('names an empty file') : accept(content);
    } catch (error) {
      return refuse(`names a file that cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
    }
  };
  return { env, shape, read };
}

/**
 * Reads every setting once.
 * @throws ConfigError naming all bad settings at once. A refused value is not quoted: it may be a secret.
 */
export function readConfig<C>(settings: Settings<C>, env: NodeJS.ProcessEnv): C {
  const config: Partial<C> = {};
  const complaints: string[] = [];
  for (const key of Object.keys(settings) as (keyof C)[]) {
    const setting = settings[key];
    const raw = env[setting.env];
    if (raw === undefined || raw === '') {
      if ('fallback' in setting) config[key] = setting.fallback as C[typeof key];
      else complaints.push(`${setting.env} is not set: set it to ${setting.shape}.`);
      continue;
    }
    const result = setting.read(raw);
    if (result.ok) config[key] = result.value;
    else complaints.push(`${setting.env} ${result.reason}: set it to ${setting.shape}.`);
  }
  if (complaints.length > 0) throw new ConfigError(complaints.join('\n'));
  return config as C;
}
