import { randomBytes } from 'node:crypto';
import type { Bus } from '@alga/chassis';
import { AlgaError, channels, parse } from '@alga/contracts';
import { CompactEncrypt, importJWK, type JWK } from 'jose';
import { createJwsOpener } from '../adapters/jose-jws.ts';
import { type KeyPair, sha256, sign } from './tokens.ts';

/** What a broker does with a redemption, over the real bus, with the values of a specification. */
export class BrokerPeer {
  version = 7;
  values = new Map([['api_key', 'canary-value-one']]);
  /** Thrown instead of an answer. */
  failure: AlgaError | undefined;
  /** Changes of the reply's claims, to play a broker that lies or is impersonated. */
  tamper: Record<string, unknown> = {};
  signWith: KeyPair;
  readonly wanted: string[] = [];
  readonly #dataKeys = new Map<number, string>();

  constructor(bus: Bus, keys: KeyPair, runnerKeys: readonly JWK[]) {
    this.signWith = keys;
    const open = createJwsOpener(runnerKeys);
    bus.serve(channels.secretsRedeem, async ({ token, proof }, info) => {
      const opened = await open(proof, 'alga-redeem-proof+jwt', 16_384);
      if (!opened.ok) throw new AlgaError('proof_invalid', opened.reason);
      const claims = parse('redeem-proof-claims', opened.payload);
      if (!claims.ok) throw new AlgaError('proof_invalid', undefined, { errors: claims.errors });
      const { want, sealTo, iss, jti, inbox, subject, tokenSha256, iat, exp } = claims.value;
      const bound = inbox === info.replyTo && subject === info.subject && tokenSha256 === sha256(token);
      if (!bound || exp - iat > 10) throw new AlgaError('proof_invalid');
      this.wanted.push(want);
      if (this.failure !== undefined) throw this.failure;
      const { tenantId, installId } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
        tenantId: string;
        installId: string;
      };
      const now = Math.floor(Date.now() / 1000);
      const dataKey = this.#dataKeys.get(this.version) ?? randomBytes(32).toString('base64url');
      this.#dataKeys.set(this.version, dataKey);
      const reply = {
        iss: 'alga:secrets-broker',
        aud: iss,
        iat: now,
        exp: now + 30,
        proofJti: jti,
        tokenSha256,
        tenantId,
        installId,
        secretsVersion: this.version,
        dataKey,
        ...(want === 'values' ? { values: [...this.values].map(([key, value]) => ({ key, value })) } : {}),
        ...this.tamper,
      };
      const jws = await sign(this.signWith, 'alga-redeemed+jwt', reply);
      const sealed = await new CompactEncrypt(Buffer.from(jws))
        .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', typ: 'alga-sealed', cty: 'JWT' })
        .encrypt(await importJWK(sealTo, 'ECDH-ES'));
      return { sealed };
    });
  }
}
