import { integer, type Settings } from '@alga/chassis';

interface GatewayConfig {
  /** From the first byte of a request to its answer, in ms. */
  readonly requestTimeoutMs: number;
  readonly maxBodyBytes: number;
}

export const settings: Settings<GatewayConfig> = {
  // Below the envelope's life of 60 s, and within what a shutdown waits for.
  requestTimeoutMs: integer('REQUEST_TIMEOUT_MS', { min: 100, max: 20_000, fallback: 15_000 }),
  maxBodyBytes: integer('MAX_BODY_BYTES', { min: 1, max: 8 * 1024 * 1024, fallback: 512 * 1024 }),
};
