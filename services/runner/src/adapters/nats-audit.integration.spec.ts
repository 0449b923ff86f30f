import { Writable } from 'node:stream';
import { Bus, createLogger, KnownSecrets } from '@alga/chassis';
import { type AuditSecretAccess, channels } from '@alga/contracts';
import { freePort, type RunningServer, startNats, waitUntil } from '@alga/local-stack';
import { NatsAudit } from './nats-audit.ts';

let nats: RunningServer;
let broker: Bus;
const stored: AuditSecretAccess[] = [];
const lines: string[] = [];
const destination = new Writable({
  write(chunk, _encoding, done) {
    lines.push(String(chunk));
    done();
  },
});
const logger = createLogger({
  service: 'runner',
  instance: 'spec',
  level: 'error',
  knownSecrets: new KnownSecrets(),
  destination,
});

beforeAll(async () => {
  nats = await startNats();
  broker = await Bus.connect({ url: nats.url, service: 'secrets-broker', logger });
  await broker.ensureStreams('events', 'audit');
  await broker.consume(channels.auditSecretAccess, 'spec', async (event) => void stored.push(event));
});

afterAll(async () => {
  await broker.close();
  await nats.stop();
});

const event = (number: number): AuditSecretAccess => ({
  id: `audit-record-${String(number).padStart(6, '0')}`,
  at: 1,
  tenantId: 'acme',
  installId: 'inst-1',
  extensionId: 'fixture',
  requestId: 'request-1',
  runnerId: 'runner-1',
  operation: 'secrets.get',
  key: 'api_key',
  outcome: 'read',
});

async function until(condition: () => boolean): Promise<void> {
  if (!(await waitUntil(condition, { deadlineMs: 10_000 }))) throw new Error(`never held: ${condition}`);
}

describe('audit records', () => {
  it('reach the stream in the background, each once, and all of them before a stop', async () => {
    const bus = await Bus.connect({ url: nats.url, service: 'runner', logger });
    const audit = new NatsAudit(bus, logger, () => undefined);
    for (let number = 0; number < 200; number++) audit.record(event(number));
    audit.record(event(0)); // a repetition
    await audit.stop(5_000);
    await bus.close();
    await until(() => stored.length >= 200);
    expect(new Set(stored.map(({ id }) => id)).size).toBe(200);
    expect(stored).toHaveLength(200);
  });

  it('wait while the bus is away, up to a bound, and are counted beyond it', async () => {
    const port = await freePort();
    const away = await startNats({ port });
    const bus = await Bus.connect({ url: away.url, service: 'runner', logger });
    await bus.ensureStreams('events', 'audit');
    let dropped = 0;
    const audit = new NatsAudit(bus, logger, (count) => {
      dropped += count;
    });
    await away.stop();
    for (let number = 0; number < 10_050; number++) audit.record(event(number));
    expect(dropped).toBe(50);
    expect(lines.filter((line) => line.includes('audit queue is full'))).toHaveLength(1);

    const back = await startNats({ port });
    try {
      await until(() => bus.connected);
      await bus.ensureStreams('events', 'audit');
      await audit.stop(20_000);
      expect(dropped).toBe(50);
    } finally {
      await bus.close();
      await back.stop();
    }
  }, 60_000);

  it('that a stop has no time for are counted as lost, and the stop ends in time', async () => {
    const lone = await startNats();
    const bus = await Bus.connect({ url: lone.url, service: 'runner', logger });
    let dropped = 0;
    const audit = new NatsAudit(bus, logger, (count) => {
      dropped += count;
    });
    audit.record(event(1)); // no stream takes it
    const started = performance.now();
    await audit.stop(100);
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(dropped).toBe(1);
    await bus.close();
    await lone.stop();
  });
});
