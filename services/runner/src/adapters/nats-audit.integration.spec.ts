import { Writable } from 'node:stream';
import { Bus, createLogger, KnownSecrets } from '@alga/chassis';
import { AlgaError, type AuditSecretAccess, type AuditSecretAccesses, channels } from '@alga/contracts';
import { freePort, type RunningServer, startNats, waitUntil } from '@alga/local-stack';
import { NatsAudit } from './nats-audit.ts';

let nats: RunningServer;
let broker: Bus;
const stored: AuditSecretAccesses[] = [];
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
  await broker.consume(channels.auditSecretAccess, 'spec', async (some) => void stored.push(...some));
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

const idsOf = (batches: readonly AuditSecretAccesses[]) =>
  batches.flatMap(({ accesses }) => accesses.map(({ id }) => id));
/** The records of one test, apart from those of the others. */
const series = (from: number, length: number) => Array.from({ length }, (_, at) => event(from + at));
const storedOf = (records: readonly AuditSecretAccess[]) => {
  const ids = new Set(records.map(({ id }) => id));
  return stored.filter(({ accesses }) => accesses.some(({ id }) => ids.has(id)));
};

describe('audit records', () => {
  it('reach the stream in the background, in their order, many in one message, and all of them before a stop', async () => {
    const bus = await Bus.connect({ url: nats.url, service: 'runner', logger });
    const audit = new NatsAudit(bus, logger, () => undefined);
    const records = series(0, 300);
    for (const record of records) audit.record(record);
    await audit.stop(5_000);
    await bus.close();
    await until(() => storedOf(records).length === 3);
    expect(storedOf(records).map(({ accesses }) => accesses.length)).toEqual([128, 128, 44]);
    expect(idsOf(storedOf(records))).toEqual(records.map(({ id }) => id));
  });

  it('do not wait for a stop: a few go out together after a moment', async () => {
    const bus = await Bus.connect({ url: nats.url, service: 'runner', logger });
    const audit = new NatsAudit(bus, logger, () => undefined);
    const records = series(1_000, 3);
    for (const record of records) audit.record(record);
    await until(() => storedOf(records).length > 0);
    expect(storedOf(records)).toEqual([{ accesses: records }]);
    await audit.stop(5_000);
    await bus.close();
  });

  it('are stored once although the acknowledgement was lost, with whatever came meanwhile behind them', async () => {
    const bus = await Bus.connect({ url: nats.url, service: 'runner', logger });
    const [first, later] = [series(2_000, 3), series(2_100, 3)];
    let lost = 0;
    const flaky: Pick<Bus, 'publish'> = {
      publish: async (...message) => {
        await bus.publish(...message);
        if (lost > 1) return;
        lost += 1;
        for (const record of later.splice(0)) audit.record(record);
        throw new AlgaError('unavailable');
      },
    };
    const audit = new NatsAudit(flaky, logger, () => undefined);
    const expected = [{ accesses: [...first] }, { accesses: [...later] }];
    for (const record of first) audit.record(record);
    await until(() => stored.some(({ accesses }) => accesses[0]?.id === event(2_100).id));
    expect(storedOf([...series(2_000, 3), ...series(2_100, 3)])).toEqual(expected);
    await audit.stop(5_000);
    await bus.close();
  });

  it('that cannot be published take no others with them, and are counted', async () => {
    const small = await startNats({ maxPayload: 4_096 });
    const [bus, reader] = [
      await Bus.connect({ url: small.url, service: 'runner', logger }),
      await Bus.connect({ url: small.url, service: 'secrets-broker', logger }),
    ];
    await reader.ensureStreams('audit');
    const arrived: AuditSecretAccesses[] = [];
    await reader.consume(channels.auditSecretAccess, 'spec', async (some) => void arrived.push(...some));
    let dropped = 0;
    const audit = new NatsAudit(bus, logger, (count) => {
      dropped += count;
    });
    // Together over what this server takes; one is over what the schema takes.
    const records = series(3_000, 60);
    const misfit = { ...event(3_030), key: 'k'.repeat(257) };
    for (const record of records.with(30, misfit)) audit.record(record);
    await audit.stop(10_000);
    const fitting = records.toSpliced(30, 1).map(({ id }) => id);
    await until(() => idsOf(arrived).length >= fitting.length);
    expect(idsOf(arrived)).toEqual(fitting);
    expect(dropped).toBe(1);
    await bus.close();
    await reader.close();
    await small.stop();
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
    await audit.stop(100); // less than one publish waits for its acknowledgement
    expect(dropped).toBe(1);
    audit.record(event(2));
    expect(dropped).toBe(2);
    await bus.close();
    await lone.stop();
  });
});
