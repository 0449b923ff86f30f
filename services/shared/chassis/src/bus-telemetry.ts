import type { MsgHdrs } from '@nats-io/transport-node';
import { context, metrics, propagation } from '@opentelemetry/api';

/** A histogram of durations in ms. */
export const histogram = (name: string, description: string) =>
  metrics.getMeter('alga.bus').createHistogram(name, { description, unit: 'ms' });

/** Reads a W3C trace context from a message. */
export const headerGetter = {
  keys: (headers: MsgHdrs | undefined): string[] => headers?.keys() ?? [],
  get: (headers: MsgHdrs | undefined, key: string): string | undefined => headers?.get(key) || undefined,
};

/** Writes the active trace context into a message's headers. */
export function injectTrace(headers: MsgHdrs): void {
  propagation.inject(context.active(), headers, { set: (carrier, key, value) => carrier.set(key, value) });
}
