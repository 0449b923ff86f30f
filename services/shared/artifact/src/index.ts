export { packFiles, unpackFiles } from './pack.ts';
export { signArtifact } from './sign.ts';
export type { ArtifactModule, ArtifactTraits, Engine, Pool, Runtime } from './traits.ts';
export { transpileComponent } from './transpile.ts';
export type { ImportedFunction } from './transpile-protocol.ts';
export { verifyArtifact } from './verify.ts';
export { WASI_MINIMUM } from './wasi-minimum.ts';
