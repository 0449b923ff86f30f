import { createHash } from 'node:crypto';
import type { Bus } from '@alga/chassis';
import {
  type ApikeyVerifyReply,
  channels,
  type SecretsChangedReply,
  type SecretsMaterialReply,
  type SecretsRotated,
} from '@alga/contracts';

/** Part of a redemption that may be spent on asking what the install has. */
const MATERIAL_DEADLINE_MS = 1_500;
/** One transaction over every install that uses the source. */
const CHANGED_DEADLINE_MS = 5_000;
const APIKEY_DEADLINE_MS = 2_000;

/** What the broker asks of control-plane, and what it tells everybody. Throws AlgaError as Bus.request and Bus.publish do. */
export class ControlPlane {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  material(ids: { tenantId: string; installId: string }, signal: AbortSignal): Promise<SecretsMaterialReply> {
    return this.#bus.request(channels.secretsMaterial, ids, { deadlineMs: MATERIAL_DEADLINE_MS, signal });
  }

  async changed(references: readonly string[], eventId: string): Promise<SecretsChangedReply['installs']> {
    const request = { references: [...references], cause: 'webhook' as const, eventId };
    return (await this.#bus.request(channels.secretsChanged, request, { deadlineMs: CHANGED_DEADLINE_MS })).installs;
  }

  /** Resolves when JetStream has stored it. */
  async rotated(event: SecretsRotated): Promise<void> {
    const { tenantId, installId, secretsVersion, eventId = '' } = event;
    const id = `${eventId}:${tenantId}:${installId}:${secretsVersion}`;
    await this.#bus.publish(channels.secretsRotated, event, { tenantId, installId }, id);
  }

  /** Whose key it is. Only its hash crosses the bus. */
  verifyKey(apiKey: string): Promise<ApikeyVerifyReply> {
    const keySha256 = createHash('sha256').update(apiKey).digest('hex');
    return this.#bus.request(channels.apikeyVerify, { keySha256 }, { deadlineMs: APIKEY_DEADLINE_MS });
  }
}
