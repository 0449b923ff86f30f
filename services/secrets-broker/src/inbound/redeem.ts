import type { Bus } from '@alga/chassis';
import { AlgaError, channels } from '@alga/contracts';
import { type RedemptionParts, redeem } from '../core/redemption.ts';

/** More would only queue for the database's connections, past their deadlines. */
const MAX_IN_FLIGHT = 128;

/** @param timeoutMs After this long a redemption is refused as unavailable, whatever it waits for. */
export function serveRedemptions(bus: Bus, parts: RedemptionParts, timeoutMs: number): void {
  bus.serve(
    channels.secretsRedeem,
    async ({ token, proof }, { subject, replyTo, signal }) => {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      const result = await redeem({ token, proof, subject, replyTo, signal: limited }, parts);
      if (result.outcome === 'refused') throw new AlgaError(result.code, result.reason);
      return { sealed: result.sealed };
    },
    { maxInFlight: MAX_IN_FLIGHT },
  );
}
