/** Every subject of the platform begins with it; the version of the wire protocol. */
export const PREFIX = 'alga.v1.';

/** Subject patterns, `$name` standing for one identifier. No other file writes a subject. */
export const SUBJECTS = {
  installResolve: 'install.resolve',
  apikeyVerify: 'apikey.verify',
  execute: 'execute',
  executeOn: 'execute.$runnerId',
  secretsRedeem: 'secrets.redeem',
  secretsSeal: 'secrets.seal',
  secretsMaterial: 'secrets.material',
  secretsChanged: 'secrets.changed',
  storageGet: 'storage.get',
  storagePut: 'storage.put',
  storageDelete: 'storage.delete',
  storageList: 'storage.list',
  artifactResolve: 'artifact.resolve',
  fleetHeartbeat: 'fleet.heartbeat',
  secretsRotated: 'event.secrets.rotated.$tenantId.$installId',
  installChanged: 'event.install.changed.$tenantId.$installId',
  extensionPublished: 'event.extension.published.$extensionId',
  auditSecretAccess: 'audit.secret-access',
} as const;

/** JetStream streams, their subjects and how much they keep. */
export const STREAMS = {
  /** The newest message of each subject: enough, since an event is a hint and the version floor decides. */
  events: { name: 'ALGA_EVENTS', subjects: [`${PREFIX}event.>`], perSubject: 1, maxBytes: 64 * 1024 * 1024 },
  /** Until the broker has written it into the chain. */
  audit: { name: 'ALGA_AUDIT', subjects: [`${PREFIX}audit.>`], perSubject: -1, maxBytes: 256 * 1024 * 1024 },
} as const;

/** The bundle store: a JetStream object store. */
export const BUNDLE_BUCKET = 'alga-bundles';

/** One path segment: what an identifier may be as a NATS token. */
const TOKEN = /^[A-Za-z0-9_-]{1,64}$/;

/** Fills a pattern's parameters; refuses a value that is not one plain token. */
export function fillSubject(pattern: string, params: Readonly<Record<string, string>> = {}): string {
  const filled = pattern.replace(/\$([A-Za-z]+)/g, (_, name: string) => {
    const value = params[name];
    if (value === undefined || !TOKEN.test(value))
      throw new TypeError(`subject parameter ${name} is not a plain token`);
    return value;
  });
  return `${PREFIX}${filled}`;
}

/** The pattern with `*` for each parameter: what to subscribe to. */
export const wildcardSubject = (pattern: string): string => `${PREFIX}${pattern.replace(/\$[A-Za-z]+/g, '*')}`;
