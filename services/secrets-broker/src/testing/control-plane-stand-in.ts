import { createHash } from 'node:crypto';
import type { Bus } from '@alga/chassis';
import { AlgaError, type ApikeyVerifyReply, channels, type SecretsMaterialReply } from '@alga/contracts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Control-plane's side of the bus, over real messages: installs in memory, changed at will by a test. */
export class ControlPlaneStandIn {
  readonly installs = new Map<string, Mutable<SecretsMaterialReply>>();
  /** What the next requests are answered with instead, until it is unset. */
  trouble: AlgaError | undefined;
  /** References of every `secrets.changed` that was answered. */
  readonly changes: string[][] = [];
  readonly #keys = new Map<string, ApikeyVerifyReply>();

  constructor(bus: Bus) {
    bus.serve(channels.secretsMaterial, async ({ tenantId, installId }) => {
      if (this.trouble !== undefined) throw this.trouble;
      const install = this.installs.get(installId);
      if (install === undefined || install.tenantId !== tenantId) throw new AlgaError('extension_not_found');
      return structuredClone(install);
    });
    bus.serve(channels.secretsChanged, async ({ references }) => {
      if (this.trouble !== undefined) throw this.trouble;
      this.changes.push(references);
      const users = [...this.installs.values()].filter(({ secrets }) =>
        secrets.some((secret) => secret.kind === 'reference' && references.includes(secret.reference)),
      );
      for (const install of users) install.secretsVersion += 1;
      return {
        installs: users.map(({ tenantId, installId, secretsVersion }) => ({ tenantId, installId, secretsVersion })),
      };
    });
    bus.serve(channels.apikeyVerify, async ({ keySha256 }) => {
      const reply = this.#keys.get(keySha256);
      if (reply === undefined) throw new AlgaError('unauthenticated');
      return reply;
    });
  }

  allowKey(apiKey: string, reply: ApikeyVerifyReply): void {
    this.#keys.set(createHash('sha256').update(apiKey).digest('hex'), reply);
  }

  /** Puts back an active install with these secrets at epoch 3. */
  install(secrets: SecretsMaterialReply['secrets'], change: Partial<SecretsMaterialReply> = {}): SecretsMaterialReply {
    const install: Mutable<SecretsMaterialReply> = {
      tenantId: 'acme',
      installId: 'ticket-sync-1a2b3c4d',
      extensionId: 'ticket-sync',
      status: 'active',
      contentHash: `sha256:${'ab'.repeat(32)}`,
      capabilities: ['secrets.get'],
      secretsVersion: 3,
      secrets,
      ...change,
    };
    this.installs.set(install.installId, install);
    return install;
  }
}
