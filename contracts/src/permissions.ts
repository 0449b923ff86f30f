import type { ServiceName } from './channel.ts';
import { channels } from './channels.ts';
import { BUNDLE_BUCKET, STREAMS } from './subjects.ts';

/** What one service's NATS user may do; everything else is refused by the server. */
interface BusPermissions {
  readonly publish: readonly string[];
  /** `subject queue` forces the queue group. */
  readonly subscribe: readonly string[];
  /** May answer a request that reached it, once. */
  readonly respond: boolean;
}

/** The durable consumer through which the broker reads `ALGA_AUDIT`. */
export const AUDIT_CONSUMER = 'broker-audit';

const OBJECT_STREAM = `OBJ_${BUNDLE_BUCKET}`;
const api = (...names: string[]): string[] => names.map((name) => `$JS.API.${name}`);

/** JetStream calls each service makes besides publishing on its channels. Nobody holds `$JS.API.>`. */
const STREAM_ACCESS: Readonly<Record<ServiceName, { publish: readonly string[]; subscribe: readonly string[] }>> = {
  gateway: { publish: [], subscribe: [] },
  'control-plane': { publish: streamSetup(STREAMS.events.name), subscribe: [] },
  'secrets-broker': {
    publish: [
      ...streamSetup(STREAMS.events.name),
      ...streamSetup(STREAMS.audit.name),
      ...api(
        `CONSUMER.CREATE.${STREAMS.audit.name}.>`,
        `CONSUMER.DURABLE.CREATE.${STREAMS.audit.name}.${AUDIT_CONSUMER}`,
        `CONSUMER.INFO.${STREAMS.audit.name}.${AUDIT_CONSUMER}`,
        `CONSUMER.MSG.NEXT.${STREAMS.audit.name}.${AUDIT_CONSUMER}`,
      ),
      `$JS.ACK.${STREAMS.audit.name}.${AUDIT_CONSUMER}.>`,
    ],
    subscribe: [],
  },
  registry: {
    publish: [
      ...streamSetup(STREAMS.events.name),
      ...api(`STREAM.CREATE.${OBJECT_STREAM}`, `STREAM.PURGE.${OBJECT_STREAM}`),
      ...objectReads(),
      `$O.${BUNDLE_BUCKET}.>`,
    ],
    subscribe: [],
  },
  runner: { publish: objectReads(), subscribe: [] },
};

/** To create a stream that does not exist yet; one with other settings is not changed by it. */
function streamSetup(name: string): string[] {
  return api('INFO', `STREAM.CREATE.${name}`, `STREAM.INFO.${name}`);
}

function objectReads(): string[] {
  return api(
    `STREAM.INFO.${OBJECT_STREAM}`,
    `STREAM.MSG.GET.${OBJECT_STREAM}`,
    `CONSUMER.CREATE.${OBJECT_STREAM}.>`,
    `CONSUMER.DELETE.${OBJECT_STREAM}.>`,
  );
}

/** Inboxes of one service: no other service's user may read them. */
export const inboxPrefixOf = (service: string): string => `_INBOX_${service.replaceAll('-', '_')}`;

/** Derived from the channel catalogue, so that a new channel cannot be forgotten. */
export function busPermissions(service: ServiceName): BusPermissions {
  const access = STREAM_ACCESS[service];
  const publish = new Set<string>(access.publish);
  const subscribe = new Set<string>([`${inboxPrefixOf(service)}.>`, ...access.subscribe]);
  let respond = false;
  for (const channel of Object.values(channels)) {
    if (channel.producers.includes(service)) publish.add(channel.wildcard);
    if (!channel.consumers.includes(service)) continue;
    if (channel.kind === 'request') {
      subscribe.add(channel.queue === undefined ? channel.wildcard : `${channel.wildcard} ${channel.queue}`);
      respond = true;
    } else if (channel !== channels.auditSecretAccess) {
      subscribe.add(channel.wildcard); // the audit is read through its JetStream consumer
    }
  }
  return { publish: [...publish].sort(), subscribe: [...subscribe].sort(), respond };
}
