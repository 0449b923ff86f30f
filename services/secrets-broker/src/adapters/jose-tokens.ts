import { decodeJson, encodeJson, type RedeemedSecrets } from '@alga/contracts';
import {
  CompactEncrypt,
  CompactSign,
  type CryptoKey,
  compactDecrypt,
  compactVerify,
  decodeProtectedHeader,
  importJWK,
} from 'jose';
import type { VerifyKey } from '../core/strict-jws.ts';

const JWS_ALG = 'Ed25519';
const JWE_ALG = 'ECDH-ES';
const JWE_ENC = 'A256GCM';

/** A private key of ours as it stands in its file. */
export interface PrivateJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519' | 'X25519';
  readonly x: string;
  readonly d: string;
  readonly kid: string;
}

/** The payload, or undefined for any reason not to trust it. What else a token must satisfy is core/strict-jws. */
export async function verifySignature(token: string, key: VerifyKey): Promise<Uint8Array | undefined> {
  try {
    return (await compactVerify(token, await importKey(key, JWS_ALG), { algorithms: [JWS_ALG] })).payload;
  } catch {
    return undefined;
  }
}

/** Signs and seals what a redemption releases: a JWS of the broker inside a JWE for the runner, uncompressed. */
export class RedemptionSealer {
  readonly #key: Promise<CryptoKey>;
  readonly #kid: string;

  constructor(signingKey: PrivateJwk) {
    this.#key = importKey(signingKey, JWS_ALG);
    this.#kid = signingKey.kid;
  }

  async seal(claims: RedeemedSecrets, sealTo: { kty: 'OKP'; crv: 'X25519'; x: string }): Promise<string> {
    const jws = await new CompactSign(encodeJson(claims))
      .setProtectedHeader({ alg: JWS_ALG, typ: 'alga-redeemed+jwt', kid: this.#kid })
      .sign(await this.#key);
    return new CompactEncrypt(new TextEncoder().encode(jws))
      .setProtectedHeader({ alg: JWE_ALG, enc: JWE_ENC, typ: 'alga-sealed', cty: 'JWT' })
      .encrypt(await importKey(sealTo, JWE_ALG));
  }
}

/** Header parameters that control-plane sends, `kid` being optional. `zip` is not among them: a small text could unpack to a large one. */
const VALUE_HEADER = new Set(['alg', 'enc', 'typ', 'epk', 'kid']);

/** Opens values that control-plane sealed for the broker. */
export class ValueOpener {
  readonly #key: Promise<CryptoKey>;

  constructor(sealKey: PrivateJwk) {
    this.#key = importKey(sealKey, JWE_ALG);
  }

  /** The JSON inside, not yet validated; undefined when it is not ours to open. */
  async open(jwe: string): Promise<unknown> {
    try {
      const header = decodeProtectedHeader(jwe);
      const expected =
        header.typ === 'alga-secret-value' && Object.keys(header).every((name) => VALUE_HEADER.has(name));
      if (!expected) return undefined;
      const { plaintext } = await compactDecrypt(jwe, await this.#key, {
        keyManagementAlgorithms: [JWE_ALG],
        contentEncryptionAlgorithms: [JWE_ENC],
      });
      const json = decodeJson(plaintext);
      return json.ok ? json.value : undefined;
    } catch {
      return undefined; // its cause could quote what was decrypted
    }
  }
}

async function importKey(jwk: Partial<PrivateJwk>, alg: string): Promise<CryptoKey> {
  const { kty, crv, x, d } = jwk;
  const key = await importJWK(
    { kty, crv, x, ...(d === undefined ? {} : { d }) } as Parameters<typeof importJWK>[0],
    alg,
  );
  if (key instanceof Uint8Array) throw new TypeError('a symmetric key where a key pair belongs');
  return key;
}
