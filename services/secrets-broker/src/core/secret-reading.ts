import { Secret } from '@alga/contracts';

/** The largest value that any source may hold, in bytes. */
export const MAX_SECRET_BYTES = 64 * 1024;

/**
 * What a source says about one secret. `version` changes whenever the value does; it is compared, never shown.
 * `not_found` means that the source is whole and has no such secret: anything else is SourceTrouble.
 */
export type Reading =
  | { readonly outcome: 'found'; readonly value: Secret; readonly version: string }
  | { readonly outcome: 'not_found' };

/** A source could not answer. Never to be taken for "not found", and never a reason to ask the next one. */
export class SourceTrouble extends Error {
  override readonly name = 'SourceTrouble';

  /** `message` reaches the logs: it may name a source, a status or a file, never content. */
  constructor(source: string, message: string) {
    super(`${source}: ${message}`);
  }
}

/**
 * A value as a source holds it. @throws SourceTrouble when it is too large, or empty: an emptied source is a fault there,
 * and "" would be taken for a key.
 */
export function checkedSecret(source: string, text: string): Secret {
  if (text === '') throw new SourceTrouble(source, 'the value is empty');
  if (Buffer.byteLength(text) > MAX_SECRET_BYTES) {
    throw new SourceTrouble(source, `the value is over ${MAX_SECRET_BYTES} bytes`);
  }
  return new Secret(text);
}

// It also takes a byte order mark away.
const decoder = new TextDecoder('utf-8', { fatal: true });

/** A file's content as its writer meant it: without the newline that editors and shells add. @throws SourceTrouble */
export function secretFromFile(source: string, bytes: Uint8Array): Secret {
  if (bytes.length > MAX_SECRET_BYTES) throw new SourceTrouble(source, `the value is over ${MAX_SECRET_BYTES} bytes`);
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw new SourceTrouble(source, 'the value is not UTF-8');
  }
  return checkedSecret(source, text.replace(/\r?\n$/, ''));
}
