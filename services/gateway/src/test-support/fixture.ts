import { createHash } from 'node:crypto';
import { parse } from '@alga/contracts';
import { type RunningServer, startNats, waitUntil } from '@alga/local-stack';
import { type GatewayProcess, startGateway } from './gateway-process.ts';
import { type Answer, call } from './http-client.ts';
import { controlPlanePeer, type RunnerPeer, runnerPeer } from './peers.ts';

/** Of the tenant acme, which has installed ticket-sync. */
export const KEY = 'alga_t_acme_0123456789abcdef';
export const PATH = '/api/ext/ticket-sync';
export const auth = { authorization: `Bearer ${KEY}` };
export const REQUEST_TIMEOUT_MS = 4_000;
export const MAX_BODY_BYTES = 64 * 1024;

/** A gateway of one spec, with a real NATS server, and peers on it instead of the other services. */
export interface Fixture {
  readonly nats: RunningServer;
  readonly controlPlane: Awaited<ReturnType<typeof controlPlanePeer>>;
  readonly gateway: GatewayProcess;
  get(path: string, headers?: Record<string, string | string[]>): Promise<Answer>;
  /** A new runner, under a name of its own. When this resolves the gateway has heard of it and prefers it for some calls. */
  addRunner(): Promise<RunnerPeer>;
  endRunners(): Promise<void>;
  stop(): Promise<void>;
}

export async function startFixture(): Promise<Fixture> {
  const nats = await startNats();
  const controlPlane = await controlPlanePeer(nats.url);
  const keyed = (key: string) => createHash('sha256').update(key).digest('hex');
  controlPlane.keys.set(keyed(KEY), { keyId: 'k1', tenantId: 'acme', scopes: ['invoke'] });
  controlPlane.keys.set(keyed('alga_t_acme_admin_only_key_00'), { keyId: 'k2', tenantId: 'acme', scopes: ['admin'] });
  controlPlane.keys.set(keyed('alga_op_0123456789abcdef0123'), { keyId: 'k3', scopes: ['operator', 'invoke'] });
  controlPlane.installs.set('acme/ticket-sync', {});
  controlPlane.installs.set('acme/asleep', { suspended: true });
  const gateway = await startGateway(nats.url, {
    REQUEST_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS),
    MAX_BODY_BYTES: String(MAX_BODY_BYTES),
  });
  const runners: RunnerPeer[] = [];
  let names = 0;
  const get: Fixture['get'] = (path, headers = auth) => call(gateway.port, 'GET', path, { headers });
  const endRunners = async () => {
    await Promise.all(runners.splice(0).map((runner) => runner.close()));
  };
  return {
    nats,
    controlPlane,
    gateway,
    get,
    async addRunner() {
      names += 1;
      const runner = await runnerPeer(nats.url, `r${names}`);
      runners.push(runner);
      let probes = 0;
      await until(async () => {
        probes += 1;
        const extensionId = `probe-${probes % 32}`;
        controlPlane.installs.set(`acme/${extensionId}`, {});
        await get(`/api/ext/${extensionId}`);
        return runner.requests.some(({ subject }) => subject.endsWith(`.${runner.id}`));
      }, `${runner.id} is known`);
      runner.requests.length = 0;
      return runner;
    },
    endRunners,
    async stop() {
      await endRunners();
      await gateway.stop();
      await controlPlane.close();
      await nats.stop();
    },
  };
}

export async function until(condition: () => Promise<boolean> | boolean, what: string): Promise<void> {
  if (!(await waitUntil(condition, { deadlineMs: 15_000 }))) throw new Error(`never: ${what}`);
}

/** The problem document of a refusal. */
export function problem({ status, body }: Answer) {
  const document = JSON.parse(body.toString('utf8'));
  expect(parse('problem', document)).toMatchObject({ ok: true });
  expect(document.status).toBe(status);
  return document;
}

/** Whatever was done to the gateway, its log tells no API key, and of no fault that nobody caught. */
export async function expectCleanLog(gateway: GatewayProcess): Promise<void> {
  const log = await gateway.log();
  expect(log).toContain('"msg":"ready"');
  expect(log).not.toContain(KEY);
  expect(log).not.toMatch(/uncaught|unhandled|MaxListeners/i);
}

/** From now on the guest answers a call only when its gate, in the order of the calls, is opened. */
export function held(runner: RunnerPeer): (() => void)[] {
  const gates: (() => void)[] = [];
  runner.guest = async ({ body }) => {
    await new Promise<void>((resolve) => gates.push(resolve));
    return { body };
  };
  return gates;
}
