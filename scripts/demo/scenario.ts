import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildComponent, packBundle, renderProblem } from '@alga/cli';
import {
  type AlgaApi,
  type Answer,
  type CallRecord,
  callConcurrently,
  captureNats,
  fileSinks,
  type NatsCapture,
  type Needle,
  PlatformClient,
  percentile,
  postgresSinks,
  redisSinks,
  staleReads,
  startAlgaApi,
  sweep,
} from '@alga/e2e';
import { type Stack, seedFileName, waitUntil } from '@alga/local-stack';
import { ROOT } from '../nx.ts';
import { must, type Steps } from './steps.ts';

/** The sample's manifest allows its API at this origin. */
export const ALGA_API_PORT = 8490;
export const ALGA_API_ORIGIN = `http://127.0.0.1:${ALGA_API_PORT}`;

const SAMPLE = join(ROOT, 'sdk/samples/ticket-sync');
const EXTENSION = 'ticket-sync';
const TENANT = 'acme';
const INSTALL = `/v1/tenants/${TENANT}/installs/${EXTENSION}`;
/** The API key of the extension lives in a file that the broker reads, as a Docker secret would be. */
const KEY_FILE = 'ticket-sync-api-key';
const KEY_REFERENCE = `file:${KEY_FILE}`;

const WARM_UP_CALLS = 5;
const TIMED_CALLS = 100;
const CALLERS = 8;
const CALLS_ACROSS_ROTATION = 2_000;
/** The rotation comes when this many of them are done. */
const CALLS_BEFORE_ROTATION = 700;
const CALLS_ACROSS_LOSS = 150;

/** What the story must have left in the audit trail. */
const AUDITED = ['redemption released', 'rotation rotated', 'access read', 'access denied', 'access missing'];
const AUDIT_DEADLINE_MS = 10_000;

export interface DemoFigures {
  readonly call: { readonly p50Ms: number; readonly p99Ms: number; readonly n: number };
  readonly rotation: {
    readonly ackMs: number;
    readonly calls: number;
    readonly staleReads: number;
    readonly failed: number;
  };
  readonly secretsInLogs: number;
}

interface AuditPage {
  readonly entries: readonly { readonly kind: string; readonly outcome: string }[];
  readonly nextAfter?: number;
}

const newValue = (): string => randomBytes(24).toString('base64url');
const round = (ms: number): number => Math.round(ms * 100) / 100;

/** The story of the demo: publish, install, grant, call, rotate, lose a runner, revoke, audit, sweep. */
export class Scenario {
  readonly #stack: Stack;
  readonly #steps: Steps;
  readonly #client: PlatformClient;
  readonly #key = { current: newValue(), generation: 1 };
  readonly #account = newValue();
  readonly #needles: Needle[] = [];
  readonly #closing: (() => Promise<void>)[] = [];
  #api: AlgaApi | undefined;
  #capture: NatsCapture | undefined;
  #invokeKey = '';

  private constructor(stack: Stack, steps: Steps, operatorKey: string) {
    this.#stack = stack;
    this.#steps = steps;
    this.#client = new PlatformClient(stack.urls, operatorKey);
  }

  static async open(stack: Stack, steps: Steps): Promise<Scenario> {
    const operatorKey = (await readFile(join(stack.keysDir, 'operator-key'), 'utf8')).trim();
    return new Scenario(stack, steps, operatorKey);
  }

  /** Where the key is with which the extension can be called, for the closing hint: a key is not for the terminal. */
  get invokeKeyFile(): string {
    return join(this.#stack.keysDir, 'demo-invoke-key');
  }

  /** @throws StepFailed, or what a step threw, at the first step that does not hold. */
  async play(): Promise<DemoFigures> {
    const run = this.#steps.run.bind(this.#steps);
    await run('start the API that the extension calls, and a capture of the bus', () => this.#observe());
    const bundle = await run('build the sample from source and pack it', () => this.#build());
    await run('publish it through the registry', () => this.#publish(bundle));
    await run('create a tenant, install, grant, configure', () => this.#install());
    await run('set two secrets: one by reference, one sealed', () => this.#setSecrets());
    await run('first call', () => this.#firstCall());
    const call = await run(`${TIMED_CALLS} calls, one after the other`, () => this.#timeCalls());
    const rotation = await run(`rotate through the signed webhook while ${CALLERS} callers call`, () => this.#rotate());
    await run('kill one of two runners while callers call', () => this.#loseRunner());
    await run('a secret that is not set reads as missing', () => this.#missing());
    await run('revoke secrets.get: refused on the next call', () => this.#revoke());
    await run('the audit trail, and its chain verified', () => this.#audit());
    const secretsInLogs = await run('sweep logs, Redis, Postgres and bus for the secret values', () => this.#sweep());
    return { call, rotation, secretsInLogs };
  }

  async close(): Promise<void> {
    for (const close of this.#closing.reverse()) await close();
  }

  async #observe(): Promise<void> {
    this.#api = await startAlgaApi({ port: ALGA_API_PORT, accountToken: this.#account });
    this.#closing.push(this.#api.close);
    const seed = (await readFile(join(this.#stack.keysDir, seedFileName('observer')), 'utf8')).trim();
    this.#capture = await captureNats(this.#stack.servers.nats.url, seed);
    this.#closing.push(this.#capture.stop);
  }

  async #build(): Promise<Uint8Array> {
    const built = await buildComponent(SAMPLE, this.#steps.detail);
    must(built.ok, built.ok ? '' : renderProblem(built.problem));
    const packed = await packBundle(SAMPLE, this.#steps.detail);
    must(packed.ok, packed.ok ? '' : renderProblem(packed.problem));
    const bundle = await readFile(packed.value.path);
    this.#steps.detail(
      `component ${megabytes(built.value.bytes)}${built.value.unchanged ? ', unchanged since the last build' : ''}, bundle ${megabytes(bundle.length)}`,
    );
    return bundle;
  }

  async #publish(bundle: Uint8Array): Promise<void> {
    const answer = await this.#client.publish(bundle);
    must(answer.status === 201, `the registry refused the bundle: ${JSON.stringify(answer.body)}`);
    const { version, contentHash } = answer.body as { version: string; contentHash: string };
    this.#steps.detail(`${EXTENSION} ${version}, ${contentHash.slice(0, 19)}...`);
  }

  async #install(): Promise<void> {
    const { admin } = bound(this.#client);
    await admin('PUT', `/v1/tenants/${TENANT}`, { displayName: 'Acme Managed Services' });
    const { key } = (await admin('POST', `/v1/tenants/${TENANT}/api-keys`, { name: 'demo', scopes: ['invoke'] })) as {
      key: string;
    };
    this.#invokeKey = key;
    await writeFile(this.invokeKeyFile, key, { mode: 0o600 });
    this.#needles.push({ label: 'API key', value: key });
    await admin('PUT', INSTALL, {
      config: { alga_api_url: ALGA_API_ORIGIN, page_size: 25 },
      grants: { capabilities: await this.#declaredCapabilities(), egress: [ALGA_API_ORIGIN] },
    });
  }

  async #setSecrets(): Promise<void> {
    await this.#writeKey(this.#key.current, 1);
    await this.#client.admin('PUT', `${INSTALL}/secrets/alga_api_key`, { reference: KEY_REFERENCE });
    await this.#client.admin('PUT', `${INSTALL}/secrets/alga_account_token`, { value: this.#account });
    this.#needles.push({ label: 'account token', value: this.#account });
    const install = await this.#client.admin('GET', INSTALL);
    must(!JSON.stringify(install).includes(this.#account), 'the admin API returned a secret value');
  }

  async #firstCall(): Promise<void> {
    const answer = await this.#sync();
    must(answer.status === 200, `the call failed: ${answer.status} ${JSON.stringify(answer.body)}`);
    this.#steps.detail(
      `POST /api/ext/${EXTENSION}/sync -> ${answer.status} ${JSON.stringify(answer.body)}, config version ${answer.headers.get('x-ext-config-version')}, secrets version ${answer.headers.get('x-ext-secrets-version')}`,
    );
  }

  async #timeCalls(): Promise<DemoFigures['call']> {
    for (let i = 0; i < WARM_UP_CALLS; i++) await this.#sync();
    const times: number[] = [];
    for (let i = 0; i < TIMED_CALLS; i++) {
      const started = performance.now();
      const { status } = await this.#sync();
      must(status === 200, `call ${i + 1} failed with ${status}`);
      times.push(performance.now() - started);
    }
    const [p50Ms, p99Ms] = [round(percentile(times, 0.5)), round(percentile(times, 0.99))];
    this.#steps.detail(`p50 ${p50Ms} ms, p99 ${p99Ms} ms`);
    return { p50Ms, p99Ms, n: times.length };
  }

  async #rotate(): Promise<DemoFigures['rotation']> {
    const secret = await this.#webhookSecret();
    let acknowledgement: Promise<{ at: number; ms: number }> | undefined;
    const rotate = async (): Promise<{ at: number; ms: number }> => {
      await this.#writeKey(newValue(), 2);
      const started = performance.now();
      const answer = await this.#client.notifyRotation([KEY_REFERENCE], secret);
      const at = performance.now();
      must(answer.status === 200, `the webhook was refused: ${JSON.stringify(answer.body)}`);
      return { at, ms: at - started };
    };
    const calls = await this.#callAcross(CALLS_ACROSS_ROTATION, (finished) => {
      if (finished >= CALLS_BEFORE_ROTATION) acknowledgement ??= rotate();
    });
    must(acknowledgement !== undefined, 'the rotation was never sent');
    const { at, ms } = await acknowledgement;
    const after = calls.filter(({ sentAt }) => sentAt >= at);
    must(after.length > 0 && after.some(({ generation }) => generation === 2), 'no call saw the new key');
    const stale = staleReads(calls, [{ at, generation: 2 }]).length;
    const failed = calls.filter(({ status }) => status !== 200).length;
    this.#steps.detail(
      `${calls.length} calls (${after.length} of them after the acknowledgement), acknowledged in ${round(ms)} ms: ${stale} stale, ${failed} failed`,
    );
    must(stale === 0, `${stale} calls read the old key after the acknowledgement`);
    must(failed === 0, `${failed} calls failed: ${failures(calls)}`);
    return { ackMs: round(ms), calls: calls.length, staleReads: stale, failed };
  }

  async #loseRunner(): Promise<void> {
    let loss: Promise<void> | undefined;
    const busiest = await this.#servingRunner();
    const calls = await this.#callAcross(CALLS_ACROSS_LOSS, (finished) => {
      if (finished >= CALLS_ACROSS_LOSS / 3) loss ??= this.#stack.killRunner(busiest);
    });
    must(loss !== undefined, 'no runner was killed');
    await loss;
    const failed = calls.filter(({ status }) => status !== 200);
    this.#steps.detail(`runner-${busiest + 1} killed, ${calls.length} calls: ${failed.length} failed`);
    must(failed.length === 0, `${failed.length} idempotent calls were lost: ${failures(calls)}`);
  }

  async #missing(): Promise<void> {
    const { status, body } = await this.#client.call(this.#invokeKey, EXTENSION, '/secret-missing');
    must(
      status === 200 && JSON.stringify(body) === '{"error":"missing"}',
      `unexpected: ${status} ${JSON.stringify(body)}`,
    );
  }

  async #revoke(): Promise<void> {
    const declared = await this.#declaredCapabilities();
    const grant = (capabilities: readonly string[]) =>
      this.#client.admin('PUT', `${INSTALL}/grants`, { capabilities, egress: [ALGA_API_ORIGIN] });
    await grant(declared.filter((capability) => capability !== 'secrets.get'));
    const refused = await this.#sync();
    must(refused.status === 403, `the next call was not refused: ${refused.status} ${JSON.stringify(refused.body)}`);
    await grant(declared);
    const restored = await this.#sync();
    must(restored.status === 200, `granted again, yet refused: ${restored.status}`);
    this.#steps.detail(`refused with ${JSON.stringify(refused.body)}; granted again: ${restored.status}`);
  }

  async #audit(): Promise<void> {
    let counts = new Map<string, number>();
    // Accesses reach the chain in batches, behind the calls that made them.
    const complete = await waitUntil(
      async () => {
        counts = await this.#auditCounts();
        return AUDITED.every((what) => counts.has(what));
      },
      { deadlineMs: AUDIT_DEADLINE_MS },
    );
    const missing = AUDITED.filter((what) => !counts.has(what));
    must(complete, `the audit trail has no row of: ${missing.join(', ')}`);
    const verified = (await this.#client.audit('/verify')) as { ok: boolean; rows: number };
    must(verified.ok, `the audit chain is broken: ${JSON.stringify(verified)}`);
    const summary = [...counts].map(([what, count]) => `${what}: ${count}`).join(', ');
    this.#steps.detail(`${verified.rows} rows, chain intact; ${summary}`);
  }

  async #auditCounts(): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (let after: number | undefined = 0; after !== undefined; ) {
      const page = (await this.#client.audit(`?after=${after}&limit=1000`)) as AuditPage;
      for (const { kind, outcome } of page.entries) {
        counts.set(`${kind} ${outcome}`, (counts.get(`${kind} ${outcome}`) ?? 0) + 1);
      }
      after = page.nextAfter;
    }
    return counts;
  }

  async #sweep(): Promise<number> {
    must(this.#capture !== undefined, 'the bus was not captured');
    const canary = { label: 'planted canary', value: newValue() };
    await writeFile(join(this.#stack.logsDir, 'canary.log'), `a line with ${canary.value} in it\n`);
    const sinks = [
      ...(await fileSinks(this.#stack.logsDir)),
      ...(await redisSinks(this.#stack.servers.redis.url)),
      ...(
        await Promise.all(Object.entries(this.#stack.databaseUrls).map(([name, url]) => postgresSinks(name, url)))
      ).flat(),
      this.#capture.sink(),
    ];
    const found = sweep(sinks, [...this.#needles, canary]);
    const planted = found.filter(({ label }) => label === canary.label);
    must(planted.length > 0, 'the sweep did not find its own planted canary: it proves nothing');
    const leaks = found.filter(({ label }) => label !== canary.label);
    const bytes = sinks.reduce((sum, sink) => sum + sink.bytes.length, 0);
    this.#steps.detail(
      `${sinks.length} sinks, ${megabytes(bytes)}, ${this.#needles.length} values: ${leaks.length} found (the planted one was)`,
    );
    must(leaks.length === 0, `secrets leaked: ${JSON.stringify(leaks.slice(0, 5))}`);
    return leaks.length;
  }

  #sync(): Promise<Answer> {
    return this.#client.call(this.#invokeKey, EXTENSION, '/sync', { method: 'POST' });
  }

  /** A call that may be repeated: it changes nothing. */
  #tickets(): Promise<Answer> {
    return this.#client.call(this.#invokeKey, EXTENSION, '/tickets');
  }

  #callAcross(count: number, onProgress: (finished: number) => void): Promise<CallRecord[]> {
    return callConcurrently(
      CALLERS,
      async () => {
        const { status, body } = await this.#tickets();
        const generation = (body as { keyGeneration?: unknown }).keyGeneration;
        return { status, generation: typeof generation === 'number' ? generation : undefined };
      },
      (finished) => {
        onProgress(finished.length);
        return finished.length >= count;
      },
    );
  }

  async #servingRunner(): Promise<number> {
    const name = (await this.#tickets()).headers.get('x-ext-runner') ?? '';
    return Math.max(0, Number(name.replace('runner-', '')) - 1);
  }

  async #declaredCapabilities(): Promise<string[]> {
    return (JSON.parse(await readFile(join(SAMPLE, 'manifest.json'), 'utf8')) as { capabilities: string[] })
      .capabilities;
  }

  async #webhookSecret(): Promise<string> {
    const file = JSON.parse(await readFile(join(this.#stack.keysDir, 'webhook-secrets.json'), 'utf8')) as {
      sources: { id: string; secrets: string[] }[];
    };
    const secret = file.sources.find(({ id }) => id === 'local')?.secrets[0];
    must(secret !== undefined, 'webhook-secrets.json holds no secret for the source "local"');
    return secret;
  }

  /** As an operator would: the API accepts the new key first, then the file is replaced as a whole. */
  async #writeKey(value: string, generation: number): Promise<void> {
    this.#needles.push({ label: `API key of generation ${generation}`, value });
    this.#api?.acceptKey(value, generation);
    const path = join(this.#stack.secretsDir, KEY_FILE);
    await writeFile(`${path}.new`, value, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }
}

const bound = (client: PlatformClient) => ({ admin: client.admin.bind(client) });

const megabytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

function failures(calls: readonly CallRecord[]): string {
  const counts = new Map<number, number>();
  for (const { status } of calls) if (status !== 200) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, count]) => `${count} with ${status === 0 ? 'no answer' : status}`).join(', ');
}
