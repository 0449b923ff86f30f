import { hash } from 'node:crypto';

const API_KEY = /^alga_[A-Za-z0-9_-]{16,256}$/;

type ReadApiKey =
  /** Hex SHA-256 of the whole key: the key itself goes no further (I3). */
  { readonly ok: true; readonly keySha256: string } | { readonly ok: false; readonly reason: string };

/** The API key of a request, from `authorization: Bearer` or `x-api-key`. `rawHeaders`: names and values in turn, as received. */
export function readApiKey(rawHeaders: readonly string[]): ReadApiKey {
  const given: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase();
    const value = rawHeaders[index + 1] ?? '';
    if (name === 'authorization') given.push(/^bearer +(.*)$/i.exec(value)?.[1] ?? '');
    else if (name === 'x-api-key') given.push(value);
  }
  const [key] = given;
  if (key === undefined) return { ok: false, reason: 'No API key was given.' };
  // Two keys: which of them counts would be a matter of who looks.
  if (given.length > 1) return { ok: false, reason: 'More than one API key was given.' };
  if (!API_KEY.test(key)) return { ok: false, reason: 'The API key is malformed.' };
  return { ok: true, keySha256: hash('sha256', key, 'hex') };
}
