import { base64url, compactVerify, errors, importJWK, type JWK } from 'jose';
import { type ArtifactDescriptor, parseDescriptor } from './descriptor.ts';
import { sha256Hex } from './sha256.ts';
import { ARTIFACT_ALG, ARTIFACT_TYP } from './sign.ts';

/** The descriptor, with the bytes of the files in place of their hashes. */
interface VerifiedArtifact extends Omit<ArtifactDescriptor, 'files'> {
  readonly files: Map<string, Uint8Array>;
}

type Verification =
  | { readonly ok: true; readonly artifact: VerifiedArtifact }
  | { readonly ok: false; readonly reason: string };

interface ArtifactToVerify {
  /** Compact JWS as {@link signArtifact} returned it. */
  readonly signature: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** The registry's public keys, each with a `kid`. Nothing in the token adds to them. */
  readonly publicKeys: readonly JWK[];
  /** The content hash that was asked for: an honest signature over another artifact is refused. */
  readonly contentHash: string;
}

/** Same bound as `compactJws` in the contracts. */
const MAX_SIGNATURE_CHARS = 16_384;
const ED25519_SIGNATURE_BYTES = 64;

/**
 * Checks signature, descriptor and every file (I9). Refusals are data and name the rule; they hold no byte of the input.
 */
export async function verifyArtifact({
  signature,
  files,
  publicKeys,
  contentHash,
}: ArtifactToVerify): Promise<Verification> {
  const segments = signature.split('.');
  if (signature.length > MAX_SIGNATURE_CHARS || segments.length !== 3 || !segments.every(isCanonical)) {
    return refuse('the signature is not a canonical compact JWS');
  }
  const [header = '', payload = '', mac = ''] = segments;
  const kid = keyIdOf(header);
  if (kid === undefined) return refuse('the protected header is not exactly alg, typ and kid as pinned');
  if (base64url.decode(mac).length !== ED25519_SIGNATURE_BYTES) return refuse('the signature has the wrong length');
  const key = publicKeys.find((candidate) => candidate.kid === kid);
  if (key === undefined) return refuse('the key id is not known');
  try {
    await compactVerify(signature, await importJWK(key, ARTIFACT_ALG), { algorithms: [ARTIFACT_ALG] });
  } catch (error) {
    if (error instanceof errors.JOSEError) return refuse('the signature does not verify');
    throw error;
  }
  const parsed = parseDescriptor(jsonOf(payload));
  if (!parsed.ok) return refuse(parsed.reason);
  const { descriptor } = parsed;
  if (descriptor.contentHash !== contentHash) return refuse('the artifact is of another component');
  return checkFiles(descriptor, files);
}

function checkFiles(descriptor: ArtifactDescriptor, files: ReadonlyMap<string, Uint8Array>): Verification {
  if (files.size !== descriptor.files.length) return refuse('files are missing or there are more than the signed ones');
  const verified = new Map<string, Uint8Array>();
  for (const { name, sha256, size } of descriptor.files) {
    const bytes = files.get(name);
    if (bytes === undefined) return refuse('a signed file is missing');
    if (bytes.byteLength !== size || sha256Hex(bytes) !== sha256) return refuse('a file is not the signed one');
    verified.set(name, bytes);
  }
  return { ok: true, artifact: { ...descriptor, files: verified } };
}

// Exactly three members: b64, crit, jwk, jku, x5c and whatever comes next have no place to stand.
function keyIdOf(header: string): string | undefined {
  const value = jsonOf(header);
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 3) return undefined;
  const { alg, typ, kid } = value as Record<string, unknown>;
  return alg === ARTIFACT_ALG && typ === ARTIFACT_TYP && typeof kid === 'string' ? kid : undefined;
}

// jose tolerates changed low bits in a segment's last character; one artifact has one spelling here.
function isCanonical(segment: string): boolean {
  return segment.length > 0 && Buffer.from(segment, 'base64url').toString('base64url') === segment;
}

function jsonOf(segment: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(base64url.decode(segment)));
  } catch {
    return undefined;
  }
}

function refuse(reason: string): Verification {
  return { ok: false, reason };
}
