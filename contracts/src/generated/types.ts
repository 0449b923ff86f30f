// Generated from contracts/schemas/v1 by `npm run generate`. Do not edit.

export type Capability = string
/**
 * Scheme, host and optional port; nothing after.
 */
export type Origin = string
export type Semver = string
/**
 * A tenant, for example 'acme'.
 */
export type TenantId = string
/**
 * An extension, for example 'ticket-sync'.
 */
export type ExtensionId = string
export type KeyId = string
export type SecretKey = string
/**
 * Where a value lives: vault:<mount>/<path>#<field>, file:<name>, env:<NAME> or chain:<name>.
 */
export type SecretReference = string
export type Sha256 = string
export type ContentHash = string
export type ConfigKey = string
export type CompactJws = string
/**
 * By content hash (runner) or by extension and version, newest if none is given (control-plane at install).
 */
export type ArtifactResolveRequest = ({
contentHash: ContentHash
} | {
extensionId: ExtensionId
version?: Semver
})
/**
 * One extension installed by one tenant.
 */
export type InstallId = string
export type RequestId = string
export type RunnerId = string
/**
 * The install's secrets epoch: any change that a reader must see raises it.
 */
export type SecretsVersion = number
export type ConfigVersion = number
/**
 * @maxItems 128
 */
export type Headers = Header[]
/**
 * The new revision, or that the expected one is not the current one.
 */
export type StoragePutReply = ({
outcome: "stored"
revision: number
} | {
outcome: "conflict"
})

/**
 * Asks for a new API key of a tenant. The key itself is shown once, in the reply.
 */
export interface AdminApiKeyCreate {
name: string
/**
 * @minItems 1
 * @maxItems 3
 */
scopes: ("invoke" | "admin" | "publish")[]
expiresInDays?: number
}
/**
 * Replaces the whole configuration of an install.
 */
export interface AdminConfigPut {
/**
 * Keys and types are the manifest's to say; see config_invalid.
 */
config: {
[k: string]: unknown
}
}
/**
 * Configuration values by key; which keys there are and of which type, the manifest says.
 */
export interface AdminConfigValues {
[k: string]: string | number | boolean
}
/**
 * What a tenant lets an extension do: at most what its manifest declares.
 */
export interface AdminGrants {
/**
 * @maxItems 32
 */
capabilities: Capability[]
/**
 * @maxItems 32
 */
egress: Origin[]
}
/**
 * The install as it shall be; the newest version if none is named.
 */
export interface AdminInstallPut {
version?: Semver
/**
 * Keys and types are the manifest's to say; see config_invalid.
 */
config: {
[k: string]: unknown
}
grants: AdminGrants
}
/**
 * The identifiers in the path of an admin request.
 */
export interface AdminPath {
tenantId?: TenantId
extensionId?: ExtensionId
keyId?: KeyId
secretKey?: SecretKey
}
/**
 * Sets a secret: a value to seal, or, with an operator key, a reference to where it lives. Exactly one of them; no reply ever returns the value.
 */
export interface AdminSecretPut {
/**
 * At most 64 KiB as UTF-8; more is body_too_large.
 */
value?: string
reference?: SecretReference
}
/**
 * Creates or renames a tenant.
 */
export interface AdminTenantPut {
displayName: string
}
/**
 * Whose key it is and what it may do. No tenantId: a platform operator's key.
 */
export interface ApikeyVerifyReply {
keyId: KeyId
tenantId?: TenantId
/**
 * @maxItems 4
 */
scopes: ("invoke" | "admin" | "publish" | "operator")[]
}
/**
 * The SHA-256 of an API key, hex; the key itself never crosses the bus.
 */
export interface ApikeyVerifyRequest {
keySha256: Sha256
}
/**
 * Where the artifact is and the registry's signature over its parts.
 */
export interface ArtifactResolveReply {
extensionId: ExtensionId
version: Semver
contentHash: ContentHash
manifest: Manifest
/**
 * Name in the bundle store.
 */
object: string
signature: CompactJws
}
/**
 * manifest.json of a bundle: what the extension is and everything it may ever ask for.
 */
export interface Manifest {
manifestVersion: 1
extensionId: ExtensionId
version: Semver
/**
 * One line of text: it is shown on terminals, and stored where NUL cannot be.
 */
title: string
description?: string
/**
 * `legacy`: the file holds a core module of the old raw ABI. Deprecated.
 */
runtime: ("component" | "legacy")
/**
 * What runs inside the component; informative.
 */
engine?: ("starlingmonkey" | "quickjs" | "native")
/**
 * Path inside the bundle of the component, or of the core module.
 */
component: "component.wasm"
/**
 * @maxItems 32
 */
capabilities: Capability[]
/**
 * Origins that http.fetch may reach; the tenant's grant narrows them.
 * 
 * @maxItems 32
 */
egress?: Origin[]
/**
 * @maxItems 64
 */
secrets?: {
key: SecretKey
description?: string
required?: boolean
}[]
/**
 * @maxItems 64
 */
config?: {
key: ConfigKey
type: ("string" | "number" | "boolean")
description?: string
required?: boolean
}[]
limits?: RequestedLimits
}
export interface RequestedLimits {
/**
 * Wall-clock limit of one call, in milliseconds.
 */
timeoutMs?: number
/**
 * Processor time that the guest may use in one call, in milliseconds.
 */
cpuMs?: number
/**
 * Linear memory of one instance, in MiB.
 */
memoryMb?: number
/**
 * Calls of host functions in one call.
 */
hostCalls?: number
/**
 * Bytes that the guest may log in one call, its stdout and stderr included.
 */
logBytes?: number
/**
 * Bytes of the response: body and headers. What one message of the bus carries beside its head.
 */
responseBytes?: number
/**
 * Worth in bytes of all that the guest passes to the host in one of its calls: each string, list and record with what it holds, each item at least 16.
 */
liftedBytes?: number
}
/**
 * Query of GET /v1/audit, as text.
 */
export interface AuditQuery {
tenantId?: TenantId
installId?: InstallId
requestId?: RequestId
/**
 * Only rows with a greater sequence number.
 */
after?: string
/**
 * Rows at most, 1 to 1000; 100 unless given.
 */
limit?: string
}
/**
 * What guests of one runner did with secrets, in the order in which they did it. Several in one message, because one message and one transaction cost about as much as a hundred.
 */
export interface AuditSecretAccesses {
/**
 * @minItems 1
 * @maxItems 128
 */
accesses: AuditSecretAccess[]
}
/**
 * One access to secrets by a guest, or its refusal; never a value.
 */
export interface AuditSecretAccess {
/**
 * Delivered at least once, recorded once.
 */
id: string
at: number
tenantId: TenantId
installId: InstallId
extensionId: ExtensionId
requestId: RequestId
runnerId: RunnerId
operation: ("secrets.get" | "secrets.list")
/**
 * As the guest asked for it.
 */
key?: string
secretsVersion?: SecretsVersion
outcome: ("read" | "missing" | "denied" | "expired" | "unavailable" | "internal")
}
export interface Header {
name: string
value: string
}
/**
 * The limits of one call, complete.
 */
export interface Limits {
/**
 * Wall-clock limit of one call, in milliseconds.
 */
timeoutMs: number
/**
 * Processor time that the guest may use in one call, in milliseconds.
 */
cpuMs: number
/**
 * Linear memory of one instance, in MiB.
 */
memoryMb: number
/**
 * Calls of host functions in one call.
 */
hostCalls: number
/**
 * Bytes that the guest may log in one call, its stdout and stderr included.
 */
logBytes: number
/**
 * Bytes of the response: body and headers. What one message of the bus carries beside its head.
 */
responseBytes: number
/**
 * Worth in bytes of all that the guest passes to the host in one of its calls: each string, list and record with what it holds, each item at least 16.
 */
liftedBytes: number
}
/**
 * Claims of the envelope token: everything a runner may rely on. Nothing beside them is trusted.
 */
export interface EnvelopeClaims {
iss: "alga:control-plane"
aud: "alga:runner"
/**
 * Seconds since the epoch.
 */
iat: number
/**
 * Seconds since the epoch; at most 60 s after iat.
 */
exp: number
jti: string
tenantId: TenantId
installId: InstallId
extensionId: ExtensionId
version: Semver
contentHash: ContentHash
/**
 * @maxItems 32
 */
capabilities: Capability[]
/**
 * @maxItems 32
 */
egress: Origin[]
limits: Limits
configVersion: ConfigVersion
configSha256: Sha256
sv: SecretsVersion
}
/**
 * A version was accepted by the registry.
 */
export interface ExtensionPublished {
extensionId: ExtensionId
version: Semver
contentHash: ContentHash
at: number
}
/**
 * An install changed in a way that acts on its next call.
 */
export interface InstallChanged {
tenantId: TenantId
installId: InstallId
secretsVersion: SecretsVersion
configVersion: ConfigVersion
status: ("active" | "suspended" | "uninstalled")
change: ("installed" | "version" | "config" | "grants" | "secrets" | "suspended" | "resumed" | "uninstalled")
at: number
}
/**
 * An install's secrets moved to a new epoch. A hint to evict: freshness comes from the version floor.
 */
export interface SecretsRotated {
tenantId: TenantId
installId: InstallId
secretsVersion: SecretsVersion
cause: ("webhook" | "poll" | "admin")
at: number
eventId?: string
}
/**
 * Head of the guest's response; the body follows as raw bytes.
 */
export interface ExecuteReplyHead {
requestId: RequestId
runnerId: RunnerId
status: number
headers: Headers
hasBody: boolean
/**
 * What the guest is: a component, or a core module of the old raw ABI.
 */
runtime: ("component" | "legacy")
version: Semver
configVersion: ConfigVersion
secretsVersion: SecretsVersion
guestMs: number
}
/**
 * Head of an execute request; the body follows as raw bytes. The runner takes its authority from the envelope alone and refuses a head that differs from it.
 */
export interface ExecuteRequestHead {
requestId: RequestId
tenantId: TenantId
extensionId: ExtensionId
installId: InstallId
/**
 * The install's configuration as JSON text, byte for byte what configSha256 in the envelope covers.
 */
config: string
envelope: CompactJws
http: {
method: string
url: string
headers: Headers
hasBody: boolean
}
}
/**
 * Runner to gateways, every 250 ms: alive, and how full.
 */
export interface FleetHeartbeat {
runnerId: RunnerId
sequence: number
inFlight: number
capacity: number
draining: boolean
}
/**
 * What a caller of POST /internal/runner/install-config needs to build an execute request.
 */
export interface InstallConfigReply {
tenant_id: TenantId
extension_id: ExtensionId
install_id: InstallId
/**
 * Of the extension.
 */
version: string
content_hash: ContentHash
config: AdminConfigValues
/**
 * The same as text, byte for byte what configSha256 in the envelope covers.
 */
config_json: string
config_version: ConfigVersion
limits: Limits
secrets_envelope: SecretsEnvelope
}
/**
 * The short-lived signed token under which a runner may execute for an install and redeem its secrets.
 */
export interface SecretsEnvelope {
token: CompactJws
version: SecretsVersion
/**
 * Milliseconds since the epoch.
 */
expiresAt: number
keyId: KeyId
}
/**
 * HTTP twin of install.resolve, for callers that are not on the bus.
 */
export interface InstallConfigRequest {
tenant_id: TenantId
extension_id: ExtensionId
}
/**
 * What the gateway needs to publish an execute request.
 */
export interface InstallResolveReply {
tenantId: TenantId
installId: InstallId
extensionId: ExtensionId
version: Semver
contentHash: ContentHash
/**
 * The install's configuration as JSON text, byte for byte what configSha256 in the envelope covers.
 */
config: string
configVersion: ConfigVersion
limits: Limits
secretsEnvelope: SecretsEnvelope
}
/**
 * Gateway asks which install serves a tenant's call to an extension.
 */
export interface InstallResolveRequest {
tenantId: TenantId
extensionId: ExtensionId
}
/**
 * An RFC 9457 problem document: what every refusal looks like over HTTP, and the payload of an error reply on the bus.
 */
export interface Problem {
type: string
title: string
status: number
code: string
detail: string
requestId?: string
fix?: string
errors?: {
field: string
reason: string
}[]
limit?: number
retryAfterMs?: number
}
/**
 * Claims of the proof that accompanies a redemption; single use.
 */
export interface RedeemProofClaims {
iss: RunnerId
aud: "alga:secrets-broker"
iat: number
exp: number
jti: string
requestId: RequestId
tokenSha256: Sha256
subject: string
inbox: string
/**
 * data-key: only the key that opens the shared cache's entry of this version.
 */
want: ("values" | "data-key")
sealTo: {
kty: "OKP"
crv: "X25519"
x: string
}
}
/**
 * What the broker releases, after its audit row is committed (I2).
 */
export interface RedeemedSecrets {
iss: "alga:secrets-broker"
aud: RunnerId
iat: number
exp: number
proofJti: string
tokenSha256: Sha256
tenantId: TenantId
installId: InstallId
secretsVersion: SecretsVersion
/**
 * 32 bytes, base64url: seals the Redis entry of exactly this install and version.
 */
dataKey: string
/**
 * @maxItems 1000
 */
values?: {
key: SecretKey
value: string
}[]
}
/**
 * What the JWE of secrets.seal holds. The broker compares the ids with those of the request, so that a ciphertext cannot be moved.
 */
export interface SecretPlaintext {
tenantId: TenantId
installId: InstallId
key: SecretKey
value: string
}
/**
 * The installs whose epoch moved, committed.
 */
export interface SecretsChangedReply {
installs: {
tenantId: TenantId
installId: InstallId
secretsVersion: SecretsVersion
}[]
}
/**
 * Broker found that the source behind these references changed: every install that uses one moves to a new epoch, in one transaction.
 */
export interface SecretsChangedRequest {
/**
 * @minItems 1
 * @maxItems 100
 */
references: SecretReference[]
cause: ("webhook" | "poll" | "admin")
eventId?: string
}
/**
 * Status, effective capabilities, epoch and ciphertext or references; never a value.
 */
export interface SecretsMaterialReply {
tenantId: TenantId
installId: InstallId
extensionId: ExtensionId
status: ("active" | "suspended" | "uninstalled")
contentHash: ContentHash
/**
 * @maxItems 32
 */
capabilities: Capability[]
secretsVersion: SecretsVersion
/**
 * @maxItems 1000
 */
secrets: ({
key: SecretKey
kind: "sealed"
ciphertext: string
keyId: string
} | {
key: SecretKey
kind: "reference"
reference: SecretReference
})[]
}
/**
 * Broker asks for an install's present state at a redemption.
 */
export interface SecretsMaterialRequest {
tenantId: TenantId
installId: InstallId
}
/**
 * A JWE for the runner's key around a JWS of the broker around RedeemedSecrets.
 */
export interface SecretsRedeemReply {
sealed: string
}
/**
 * A runner redeems an envelope. The proof, signed by the runner, binds token, subject, reply inbox and the runner's encryption key, and says what is wanted.
 */
export interface SecretsRedeemRequest {
token: CompactJws
proof: CompactJws
}
/**
 * Ciphertext bound to tenant, install and key by its additional data.
 */
export interface SecretsSealReply {
ciphertext: string
keyId: string
}
/**
 * Control-plane has a value that an admin typed sealed under the broker's key.
 */
export interface SecretsSealRequest {
tenantId: TenantId
installId: InstallId
key: SecretKey
/**
 * The plaintext as a JWE for the broker's public key: no plaintext on the bus (I3). 64 KiB of value, escaped at worst sixfold, in base64url.
 */
value: string
}
/**
 * What happened.
 */
export interface StorageDeleteReply {
outcome: ("deleted" | "missing" | "conflict")
}
/**
 * Runner deletes one key under an envelope.
 */
export interface StorageDeleteRequest {
token: CompactJws
key: string
/**
 * 0: the key must not exist.
 */
expectedRevision?: number
}
/**
 * One stored value of an install.
 */
export interface StorageEntry {
key: string
/**
 * Base64; at most 128 KiB of bytes.
 */
value: string
revision: number
expiresAt?: number
}
/**
 * No entry: nothing is stored under the key.
 */
export interface StorageGetReply {
entry?: StorageEntry
}
/**
 * Runner reads one key under an envelope.
 */
export interface StorageGetRequest {
token: CompactJws
key: string
}
/**
 * One page, in key order, at most 512 KiB of values.
 */
export interface StorageListReply {
/**
 * @maxItems 100
 */
entries: StorageEntry[]
nextCursor?: string
}
/**
 * Runner lists keys under an envelope.
 */
export interface StorageListRequest {
token: CompactJws
prefix: string
cursor?: string
limit: number
}
/**
 * Runner writes one key under an envelope.
 */
export interface StoragePutRequest {
token: CompactJws
key: string
/**
 * Base64; at most 128 KiB of bytes.
 */
value: string
/**
 * 0: the key must not exist.
 */
expectedRevision?: number
ttlSeconds?: number
}
/**
 * Body of POST /webhooks/vault: the sources behind these references changed. A hint: the broker reads them again. Never carries a value.
 */
export interface WebhookGeneric {
/**
 * The sender's id of the event; repeated when it sends the same event again.
 */
id: string
type: "secret.rotated"
/**
 * @minItems 1
 * @maxItems 25
 */
references: SecretReference[]
/**
 * When it changed, by the sender's clock, in milliseconds since the epoch. For people: nothing depends on it.
 */
at?: number
}

/** Schema name -> the type of its messages. */
export interface Messages {
  "admin-api-key-create": AdminApiKeyCreate;
  "admin-config-put": AdminConfigPut;
  "admin-config-values": AdminConfigValues;
  "admin-grants": AdminGrants;
  "admin-install-put": AdminInstallPut;
  "admin-path": AdminPath;
  "admin-secret-put": AdminSecretPut;
  "admin-tenant-put": AdminTenantPut;
  "apikey-verify-reply": ApikeyVerifyReply;
  "apikey-verify-request": ApikeyVerifyRequest;
  "artifact-resolve-reply": ArtifactResolveReply;
  "artifact-resolve-request": ArtifactResolveRequest;
  "audit-query": AuditQuery;
  "audit-secret-access": AuditSecretAccesses;
  "envelope-claims": EnvelopeClaims;
  "event-extension-published": ExtensionPublished;
  "event-install-changed": InstallChanged;
  "event-secrets-rotated": SecretsRotated;
  "execute-reply-head": ExecuteReplyHead;
  "execute-request-head": ExecuteRequestHead;
  "fleet-heartbeat": FleetHeartbeat;
  "install-config-reply": InstallConfigReply;
  "install-config-request": InstallConfigRequest;
  "install-resolve-reply": InstallResolveReply;
  "install-resolve-request": InstallResolveRequest;
  "manifest": Manifest;
  "problem": Problem;
  "redeem-proof-claims": RedeemProofClaims;
  "redeemed-secrets": RedeemedSecrets;
  "secret-plaintext": SecretPlaintext;
  "secrets-changed-reply": SecretsChangedReply;
  "secrets-changed-request": SecretsChangedRequest;
  "secrets-envelope": SecretsEnvelope;
  "secrets-material-reply": SecretsMaterialReply;
  "secrets-material-request": SecretsMaterialRequest;
  "secrets-redeem-reply": SecretsRedeemReply;
  "secrets-redeem-request": SecretsRedeemRequest;
  "secrets-seal-reply": SecretsSealReply;
  "secrets-seal-request": SecretsSealRequest;
  "storage-delete-reply": StorageDeleteReply;
  "storage-delete-request": StorageDeleteRequest;
  "storage-entry": StorageEntry;
  "storage-get-reply": StorageGetReply;
  "storage-get-request": StorageGetRequest;
  "storage-list-reply": StorageListReply;
  "storage-list-request": StorageListRequest;
  "storage-put-reply": StoragePutReply;
  "storage-put-request": StoragePutRequest;
  "webhook-generic": WebhookGeneric;
}
