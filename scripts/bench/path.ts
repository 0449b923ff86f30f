import { readFileSync } from 'node:fs';
import { callConcurrently, percentile, staleReads } from '@alga/e2e';
import { EXTENSION, KEY_REFERENCE, type Platform, startPlatform } from '@alga/e2e/testing';
import { seedFileName } from '@alga/local-stack';
import { connect, nkeyAuthenticator } from '@nats-io/transport-node';
import { type Figure, median, type Report, report, single } from './figures.ts';
import { cpuMs, family, proportionalKib } from './processes.ts';

const WARM_UP = 50;
const SAMPLES = 300;
const CALLERS = 8;
const CALLS_ACROSS_ROTATIONS = 2_000;
const ROTATIONS = 5;

/** The whole path: one call, many calls across rotations, and what the idle stack costs. */
export async function benchPath(progress: (line: string) => void): Promise<Report> {
  progress('starting a platform with two runners');
  const platform = await startPlatform({ runners: 2 });
  try {
    await platform.writeKey(1);
    const published = await platform.client.publish(await platform.bundle());
    if (published.status !== 201) throw new Error(`publishing failed: ${JSON.stringify(published.body)}`);
    const key = await platform.tenant('acme');
    const idle = idleMemory(platform);
    progress('calls, one after the other');
    const calls = await callFigures(platform, key);
    progress(`${CALLS_ACROSS_ROTATIONS} calls across ${ROTATIONS} rotations`);
    const rotations = await rotationFigures(platform, key);
    return report('path', [...(await floorFigures(platform)), ...calls, ...rotations, idle]);
  } finally {
    await platform.close();
  }
}

/** What the machine gives for one HTTP request and one NATS round trip, without any of our work behind it. */
async function floorFigures(platform: Platform): Promise<Figure[]> {
  const http = await sample(async () => {
    await (await fetch(`${platform.stack.urls.gateway}/healthz`)).text();
  });
  const seed = readFileSync(`${platform.stack.keysDir}/${seedFileName('observer')}`);
  const connection = await connect({
    servers: platform.stack.servers.nats.url,
    authenticator: nkeyAuthenticator(new Uint8Array(seed.subarray(0, 58))),
  });
  const nats = await sample(async () => {
    await connection.flush(); // PING and PONG: the least that a message can take
  });
  await connection.close();
  return [median('floor: HTTP GET /healthz', 'ms', http), median('floor: NATS ping', 'ms', nats)];
}

async function callFigures(platform: Platform, key: string): Promise<Figure[]> {
  const call = (method: string, path: string) => async () => {
    const { status } = await platform.client.call(key, EXTENSION, path, { method });
    if (status !== 200) throw new Error(`${path} answered ${status}`);
  };
  const whoami = await sample(call('GET', '/whoami'));
  const tickets = await sample(call('GET', '/tickets'));
  const sync = await sample(call('POST', '/sync'));
  return [
    median('call without host work (/whoami)', 'ms', whoami),
    median('call with 2 secrets, config, HTTP (/tickets)', 'ms', tickets),
    median('the same with storage (/sync)', 'ms', sync),
    single('/sync, p99', 'ms', percentile(sync, 0.99), { note: `n=${sync.length}` }),
  ];
}

async function rotationFigures(platform: Platform, key: string): Promise<Figure[]> {
  const secret = await platform.webhookSecret();
  const acknowledgements: { at: number; generation: number }[] = [];
  const times: number[] = [];
  let rotating: Promise<void> = Promise.resolve();
  let sent = 0;
  const rotate = async (generation: number) => {
    await platform.writeKey(generation);
    const started = performance.now();
    const { status } = await platform.client.notifyRotation([KEY_REFERENCE], secret);
    const at = performance.now();
    if (status !== 200) throw new Error(`rotation ${generation} answered ${status}`);
    acknowledgements.push({ at, generation });
    times.push(at - started);
  };
  const before = cpuByGroup(platform);
  const started = performance.now();
  const calls = await callConcurrently(
    CALLERS,
    async () => {
      const { status, body } = await platform.client.call(key, EXTENSION, '/tickets');
      return { status, generation: (body as { keyGeneration?: number }).keyGeneration };
    },
    (finished) => {
      if (sent < ROTATIONS && finished.length >= ((sent + 1) * CALLS_ACROSS_ROTATIONS) / (ROTATIONS + 1)) {
        sent += 1;
        const generation = sent + 1;
        rotating = rotating.then(() => rotate(generation));
      }
      return finished.length >= CALLS_ACROSS_ROTATIONS;
    },
  );
  const seconds = (performance.now() - started) / 1000;
  const after = cpuByGroup(platform);
  await rotating;
  const answered = calls.map((call) => call.answeredAt - call.sentAt);
  return [
    median('rotation: webhook to acknowledgement', 'ms', times),
    single('stale reads after acknowledgement', 'calls', staleReads(calls, acknowledgements).length, { target: 0 }),
    single('failed calls across rotations', 'calls', calls.filter(({ status }) => status !== 200).length, {
      target: 0,
    }),
    single(`calls per second, ${CALLERS} callers`, '1/s', calls.length / seconds),
    single(`/tickets p99, ${CALLERS} callers`, 'ms', percentile(answered, 0.99)),
    ...[...after].map(([name, ms]) =>
      single(`CPU per call: ${name}`, 'ms', Math.max(0, ms - (before.get(name) ?? 0)) / calls.length),
    ),
  ];
}

async function sample(work: () => Promise<void>): Promise<number[]> {
  for (let i = 0; i < WARM_UP; i++) await work();
  const samples: number[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    const started = performance.now();
    await work();
    samples.push(performance.now() - started);
  }
  return samples;
}

/** Proportional set size of servers and services with their children: shared pages count once. */
function idleMemory(platform: Platform): Figure {
  const kib = [...groups(platform).values()].flat().reduce((sum, pid) => sum + proportionalKib(pid), 0);
  return single('idle memory of the whole stack', 'MiB', kib / 1024, { target: 1229, note: 'PSS, 2 runners, 1.2 GB' });
}

/** CPU time so far of each service and server; sandboxes apart from their runners. */
function cpuByGroup(platform: Platform): Map<string, number> {
  return new Map([...groups(platform)].map(([name, pids]) => [name, pids.reduce((sum, pid) => sum + cpuMs(pid), 0)]));
}

function groups(platform: Platform): Map<string, number[]> {
  const grouped = new Map<string, number[]>();
  const add = (name: string, pids: readonly number[]) => grouped.set(name, [...(grouped.get(name) ?? []), ...pids]);
  for (const [name, { pid }] of platform.stack.processes) {
    const [own = pid, ...children] = family(pid);
    add(name.replace(/-[0-9]+$/, 's'), [own]);
    if (name.startsWith('runner')) add('sandboxes', children);
    else add(name, children);
  }
  for (const [name, server] of Object.entries(platform.stack.servers)) {
    if (server.kind === 'own') add(name, family(server.server.pid));
  }
  return grouped;
}
