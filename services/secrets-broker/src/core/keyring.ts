import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { Secret } from '@alga/contracts';

/** What a sealed value belongs to; it opens for nothing else. */
export interface SealedFor {
  readonly tenantId: string;
  readonly installId: string;
  readonly key: string;
}

const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID = /^[A-Za-z0-9_-]{1,64}$/;
/** Names the layout `[iv][ciphertext][tag]`, base64url. */
const FORMAT = 'alga1.';

interface KeyringKey {
  readonly seal: Buffer;
  /** Never leaves: data keys are derived from it. */
  readonly root: Buffer;
}

/** The local keys under which install secrets rest. One key seals, every key in the file still opens. */
export class Keyring {
  readonly #active: string;
  readonly #keys: ReadonlyMap<string, KeyringKey>;

  private constructor(active: string, keys: ReadonlyMap<string, KeyringKey>) {
    this.#active = active;
    this.#keys = keys;
  }

  /** From a keyring file's content. @throws Error with a reason that quotes no key. */
  static parse(json: unknown): Keyring {
    const { version, active, keys } = (json ?? {}) as Record<string, unknown>;
    if (version !== 1) throw new Error('its version is not 1');
    if (!Array.isArray(keys) || keys.length === 0) throw new Error('it has no keys');
    const ring = new Map<string, KeyringKey>();
    for (const [index, entry] of keys.entries()) {
      const { id, key } = (entry ?? {}) as Record<string, unknown>;
      if (typeof id !== 'string' || !KEY_ID.test(id)) throw new Error(`key ${index} has no usable id`);
      if (ring.has(id)) throw new Error(`the id of key ${index} appears twice`);
      const root = typeof key === 'string' ? Buffer.from(key, 'base64url') : Buffer.alloc(0);
      if (root.length !== KEY_BYTES) throw new Error(`key ${index} is not ${KEY_BYTES} bytes in base64url`);
      ring.set(id, { root, seal: derive(root, 'alga-seal') });
    }
    if (typeof active !== 'string' || !ring.has(active)) throw new Error('its active key is not among its keys');
    return new Keyring(active, ring);
  }

  /** AES-256-GCM under the active key, bound to whom the value belongs to. `iv` is an argument for tests alone. */
  seal(value: Secret, belongsTo: SealedFor, iv: Buffer = randomBytes(IV_BYTES)): { ciphertext: string; keyId: string } {
    const cipher = createCipheriv('aes-256-gcm', this.#key(this.#active).seal, iv, { authTagLength: TAG_BYTES });
    cipher.setAAD(additionalData(belongsTo, this.#active));
    const body = Buffer.concat([cipher.update(value.reveal(), 'utf8'), cipher.final()]);
    const sealed = Buffer.concat([iv, body, cipher.getAuthTag()]).toString('base64url');
    return { ciphertext: `${FORMAT}${sealed}`, keyId: this.#active };
  }

  /** @throws Error when the key is not in the ring, or the ciphertext was altered or belongs to another. */
  open(sealed: { readonly ciphertext: string; readonly keyId: string }, belongsTo: SealedFor): Secret {
    if (!sealed.ciphertext.startsWith(FORMAT)) throw new Error('a sealed value has an unknown format');
    const bytes = Buffer.from(sealed.ciphertext.slice(FORMAT.length), 'base64url');
    if (bytes.length < IV_BYTES + TAG_BYTES) throw new Error('a sealed value is too short');
    const iv = bytes.subarray(0, IV_BYTES);
    const { seal } = this.#key(sealed.keyId);
    const decipher = createDecipheriv('aes-256-gcm', seal, iv, { authTagLength: TAG_BYTES });
    decipher.setAAD(additionalData(belongsTo, sealed.keyId));
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
    const body = decipher.update(bytes.subarray(IV_BYTES, bytes.length - TAG_BYTES));
    try {
      return new Secret(Buffer.concat([body, decipher.final()]).toString('utf8'));
    } catch {
      throw new Error('a sealed value was altered or belongs to another install');
    }
  }

  /**
   * The key of one install's entry, of one version, in the shared cache; 32 bytes, base64url. It changes with the active
   * key: entries under the old one are then simply not opened.
   */
  dataKey(tenantId: string, installId: string, secretsVersion: number): Secret {
    const key = derive(this.#key(this.#active).root, `alga-l2|${tenantId}|${installId}|${secretsVersion}`);
    return new Secret(key.toString('base64url'));
  }

  #key(id: string): KeyringKey {
    const key = this.#keys.get(id);
    if (key === undefined) throw new Error(`the keyring has no key ${KEY_ID.test(id) ? id : 'of that id'}`);
    return key;
  }
}

/** One purpose, one key. */
const derive = (root: Buffer, purpose: string): Buffer => Buffer.from(hkdfSync('sha256', root, '', purpose, KEY_BYTES));

// Identifiers hold no `|`, so the text is unambiguous.
const additionalData = ({ tenantId, installId, key }: SealedFor, keyId: string): Buffer =>
  Buffer.from(`alga-secret|${keyId}|${tenantId}|${installId}|${key}`);
