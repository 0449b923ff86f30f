import { CompactSign, importJWK, type JWK } from 'jose';
import { type ArtifactDescriptor, parseDescriptor } from './descriptor.ts';
import { sha256Hex } from './sha256.ts';

/** What the signer states about the files beside their bytes. */
interface ArtifactMeta extends Omit<ArtifactDescriptor, 'files' | 'createdAt'> {
  readonly createdAt: Date;
}

interface SignedArtifact {
  readonly descriptor: ArtifactDescriptor;
  /** Compact JWS whose payload is the descriptor: this is what is stored and sent. */
  readonly signature: string;
}

/** `typ` of the JWS: no other token of the platform can pass for an artifact, nor an artifact for one. */
export const ARTIFACT_TYP = 'alga-artifact+jws';
export const ARTIFACT_ALG = 'Ed25519';

/**
 * Describes and signs an artifact (I9).
 * @param privateJwk Ed25519 key with a `kid`.
 * @throws TypeError where the key has no `kid` or the descriptor would not verify: both are mistakes of the caller.
 */
export async function signArtifact(
  files: ReadonlyMap<string, Uint8Array>,
  meta: ArtifactMeta,
  privateJwk: JWK,
): Promise<SignedArtifact> {
  const { kid } = privateJwk;
  if (kid === undefined) throw new TypeError('the signing key has no kid');
  const described = parseDescriptor({
    contentHash: meta.contentHash,
    createdAt: meta.createdAt.toISOString(),
    entry: meta.entry,
    files: [...files].map(([name, bytes]) => ({ name, sha256: sha256Hex(bytes), size: bytes.byteLength })),
    imports: [...meta.imports],
    runtime: meta.runtime,
    engine: meta.engine,
    modules: [...meta.modules].sort((a, b) => (a.name < b.name ? -1 : 1)),
    pool: meta.pool,
    sourceMap: meta.sourceMap,
  });
  if (!described.ok) throw new TypeError(`the artifact cannot be signed: ${described.reason}`);
  const { descriptor } = described;
  const signature = await new CompactSign(Buffer.from(JSON.stringify(descriptor)))
    .setProtectedHeader({ alg: ARTIFACT_ALG, typ: ARTIFACT_TYP, kid })
    .sign(await importJWK(privateJwk, ARTIFACT_ALG));
  return { descriptor, signature };
}
