export { packFiles, unpackFiles } from './pack.ts';
export { signArtifact } from './sign.ts';
export { transpileComponent } from './transpile.ts';
export { verifyArtifact } from './verify.ts';
