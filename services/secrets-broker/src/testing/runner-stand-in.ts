import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Bus } from '@alga/chassis';
import { channels, type EnvelopeClaims, parse, type RedeemedSecrets, type RedeemProofClaims } from '@alga/contracts';
import { compactDecrypt, compactVerify, decodeProtectedHeader } from 'jose';
import { envelopeClaims, envelopeHeader, proofClaims, proofHeader, type Signer } from './tokens.ts';

/** Beyond the broker's own. */
const DEADLINE_MS = 15_000;

interface RedeemOptions {
  readonly envelope?: Partial<EnvelopeClaims>;
  readonly token?: string;
  readonly proof?: Partial<RedeemProofClaims>;
}

/** A runner's side of a redemption: makes token and proof, opens and checks the reply. */
export class RunnerStandIn {
  readonly bus: Bus;
  readonly #minter: Signer;
  readonly #identity: Signer;
  readonly #brokerKey: KeyObject;
  readonly #sealPair = generateKeyPairSync('x25519');

  constructor(bus: Bus, keys: { minter: Signer; identity: Signer; brokerKey: KeyObject }) {
    this.bus = bus;
    this.#minter = keys.minter;
    this.#identity = keys.identity;
    this.#brokerKey = keys.brokerKey;
  }

  mint(claims: Partial<EnvelopeClaims> = {}): string {
    return this.#minter.sign(envelopeHeader(this.#minter.kid), envelopeClaims(Date.now(), claims));
  }

  prove(token: string, inbox: string, change: Partial<RedeemProofClaims> = {}): string {
    const { x: sealToX = '' } = this.#sealPair.publicKey.export({ format: 'jwk' });
    const binding = { token, subject: channels.secretsRedeem.subject(), inbox, sealToX };
    return this.#identity.sign(proofHeader(this.#identity.kid), proofClaims(Date.now(), binding, change));
  }

  /** @throws AlgaError as the broker refused. */
  async redeem(options: RedeemOptions = {}): Promise<RedeemedSecrets> {
    const token = options.token ?? this.mint(options.envelope);
    const { sealed } = await this.bus.request(
      channels.secretsRedeem,
      async (inbox) => ({ token, proof: this.prove(token, inbox, options.proof) }),
      { deadlineMs: DEADLINE_MS },
    );
    return this.open(sealed, token);
  }

  async open(sealed: string, token: string): Promise<RedeemedSecrets> {
    const { epk: _, ...header } = decodeProtectedHeader(sealed);
    expect(header).toEqual({ alg: 'ECDH-ES', enc: 'A256GCM', typ: 'alga-sealed', cty: 'JWT' });
    const { plaintext } = await compactDecrypt(sealed, this.#sealPair.privateKey);
    const { payload, protectedHeader } = await compactVerify(plaintext, this.#brokerKey);
    expect(protectedHeader).toEqual({ alg: 'Ed25519', typ: 'alga-redeemed+jwt', kid: expect.any(String) });
    const claims = parse('redeemed-secrets', JSON.parse(new TextDecoder().decode(payload)));
    if (!claims.ok) throw new TypeError(JSON.stringify(claims.errors));
    expect(claims.value).toMatchObject({
      aud: 'runner-1',
      tokenSha256: createHash('sha256').update(token).digest('hex'),
    });
    return claims.value;
  }
}

/** Key -> value of a redemption. */
export const valuesOf = (redeemed: RedeemedSecrets): Record<string, string> =>
  Object.fromEntries((redeemed.values ?? []).map(({ key, value }) => [key, value]));
