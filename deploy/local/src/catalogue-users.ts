import { busPermissions, SERVICES } from '@alga/contracts';
import type { BusIdentity } from './keys.ts';
import type { NatsUser } from './nats-config.ts';

/** Longer than the longest call: a reply that comes later has nobody waiting for it. */
const RESPONSE_WINDOW = '60s';

/** One NATS user per service with what the channel catalogue allows it, and an observer that hears all and says nothing. */
export function catalogueUsers(publicKeys: ReadonlyMap<BusIdentity, string>): readonly NatsUser[] {
  const keyOf = (identity: BusIdentity): string => {
    const key = publicKeys.get(identity);
    if (key === undefined) throw new RangeError(`There is no NATS key for ${identity}.`);
    return key;
  };
  const services = SERVICES.map((service) => {
    const { publish, subscribe, respond } = busPermissions(service);
    return {
      nkey: keyOf(service),
      publish: { allow: publish },
      subscribe: { allow: subscribe },
      ...(respond ? { allowResponses: { max: 1, expires: RESPONSE_WINDOW } } : {}),
    };
  });
  return [...services, { nkey: keyOf('observer'), publish: { deny: ['>'] }, subscribe: { allow: ['>'] } }];
}
