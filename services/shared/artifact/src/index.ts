export type { ArtifactDescriptor, ArtifactFile } from './descriptor.ts';
export { packFiles, type Unpacked, unpackFiles } from './pack.ts';
export { type ArtifactMeta, type SignedArtifact, signArtifact } from './sign.ts';
export { type Transpiled, type TranspileFailure, type TranspileLimits, transpileComponent } from './transpile.ts';
export { type ArtifactToVerify, type Verification, type VerifiedArtifact, verifyArtifact } from './verify.ts';
