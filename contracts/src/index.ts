export { type Codec, type EventChannel, type RequestChannel, SERVICES, type ServiceName } from './channel.ts';
export { channels } from './channels.ts';
export { AlgaError, ERRORS, type ErrorCode, type ErrorDetails, type FieldError, isErrorCode } from './errors.ts';
export { decodeFrame, decodeJson, encodeFrame, encodeJson, type Framed, MAX_HEAD_BYTES } from './frame.ts';
export { CAPABILITIES, HOST_FUNCTIONS, WIT_PACKAGE, WIT_VERSION } from './generated/capabilities.ts';
export type {
  AdminGrants,
  ApikeyVerifyReply,
  ArtifactResolveReply,
  ArtifactResolveRequest,
  AuditQuery,
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
  SecretsChangedRequest,
  SecretsMaterialReply,
  SecretsRotated,
  StorageEntry,
  StoragePutReply,
  WebhookGeneric,
} from './generated/types.ts';
export { DEFAULT_LIMITS, type ParsedManifest, parseManifest, type ResolvedManifest } from './manifest.ts';
export { AUDIT_CONSUMER, type BusPermissions, busPermissions, inboxPrefixOf } from './permissions.ts';
export { fromProblem, toProblem } from './problem.ts';
export { Secret } from './secret.ts';
export { BUNDLE_BUCKET, STREAMS } from './subjects.ts';
export { compileSchemas, type Parsed, parse } from './validate.ts';
