export { type EventChannel, type RequestChannel, SERVICES, type ServiceName } from './channel.ts';
export { channels } from './channels.ts';
export { AlgaError, ERRORS, type ErrorCode, type FieldError } from './errors.ts';
export { decodeFrame, decodeJson, encodeFrame, encodeJson, type Framed, MAX_HEAD_BYTES } from './frame.ts';
export { CAPABILITIES, HOST_FUNCTIONS, WIT_PACKAGE, WIT_VERSION } from './generated/capabilities.ts';
export type {
  ApikeyVerifyReply,
  ArtifactResolveReply,
  AuditSecretAccess,
  AuditSecretAccesses,
  EnvelopeClaims,
  ExecuteReplyHead,
  ExecuteRequestHead,
  FleetHeartbeat,
  Header,
  InstallChanged,
  InstallConfigReply,
  InstallResolveReply,
  Limits,
  Manifest,
  Messages,
  Problem,
  RedeemedSecrets,
  RedeemProofClaims,
  SecretPlaintext,
  SecretsChangedReply,
  SecretsMaterialReply,
  SecretsRotated,
  StorageEntry,
  WebhookGeneric,
} from './generated/types.ts';
export { DEFAULT_LIMITS, LIMIT_RANGES, resolveLimits } from './limits.ts';
export { parseManifest, type ResolvedManifest } from './manifest.ts';
export { AUDIT_CONSUMER, busPermissions, inboxPrefixOf } from './permissions.ts';
export { fromProblem, toProblem } from './problem.ts';
export { Secret } from './secret.ts';
export { BUNDLE_BUCKET, STREAMS } from './subjects.ts';
export { compileSchemas, parse } from './validate.ts';
