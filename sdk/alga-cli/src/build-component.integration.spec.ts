// Real builds with the real engine, and real calls of what was built.

import { execFile } from 'node:child_process';
import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { JobRequest, JobResult } from '../spec/run-component.ts';
import { COMPONENT_MAGIC, manifest, sampleFiles, scratchDir } from '../spec/scratch.ts';
import { type BuiltComponent, buildComponent } from './build-component.ts';
import type { Progress } from './outcome.ts';

const RUN = fileURLToPath(new URL('../spec/run-component.ts', import.meta.url));
const BUILD_TIMEOUT_MS = 120_000;

async function built(dir: string, progress?: Progress): Promise<BuiltComponent> {
  const outcome = await buildComponent(dir, progress);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.problem));
  return outcome.value;
}

async function runComponent(dir: string, component: string, requests: readonly JobRequest[]): Promise<JobResult> {
  const job = join(dir, 'job.json');
  await writeFile(job, JSON.stringify({ component, workDir: dir, requests }));
  const { stdout } = await promisify(execFile)(process.execPath, [RUN, job], {
    env: { NODE_NO_WARNINGS: '1' },
    timeout: BUILD_TIMEOUT_MS,
  });
  return JSON.parse(stdout) as JobResult;
}

async function firstBytes(path: string, length: number): Promise<Uint8Array> {
  const file = await open(path);
  try {
    return new Uint8Array((await file.read(Buffer.alloc(length), 0, length, 0)).buffer.subarray(0, length));
  } finally {
    await file.close();
  }
}

const parsed = (result: JobResult, index: number) => {
  const reply = result.replies[index];
  return [reply?.status, reply?.body === undefined || reply.body === '' ? reply?.body : JSON.parse(reply.body)];
};

/** The interfaces that a runner offers of WASI 0.2: clocks, randomness and output that work, the rest inert. */
const WASI_SUPPLIED =
  /^wasi:(io\/(error|poll|streams)|clocks\/(monotonic|wall)-clock|random\/(random|insecure|insecure-seed)|cli\/(environment|exit|stdin|stdout|stderr|terminal-(input|output|stdin|stdout|stderr))|filesystem\/(types|preopens))@0\.2\.\d+$/;
const ownOf = (imports: readonly string[]) => imports.filter((name) => name.startsWith('alga:'));

/** The places of the sources that the frames in a text come from. */
async function mapped(component: BuiltComponent, text: string): Promise<string[]> {
  const map = new SourceMap(JSON.parse(await readFile(component.sourceMap ?? '', 'utf8')) as SourceMapPayload);
  return [...text.matchAll(/index\.js:(\d+):(\d+)/g)].map(([, line, column]) => {
    const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
    return 'originalSource' in entry ? `${entry.originalSource}:${entry.originalLine + 1}` : 'nowhere';
  });
}

describe('the sample ticket-sync', () => {
  let scratch: Awaited<ReturnType<typeof scratchDir>>;
  let component: BuiltComponent;
  const progress: string[] = [];
  beforeAll(async () => {
    scratch = await scratchDir(await sampleFiles());
    component = await built(scratch.dir, (line) => void progress.push(line));
  }, BUILD_TIMEOUT_MS);
  afterAll(() => scratch.remove());

  it(
    'becomes a component that imports alga:extension 1.0.0 and, of WASI, what the platform supplies',
    async () => {
      expect(await firstBytes(component.path, 8)).toEqual(COMPONENT_MAGIC);
      const { imports } = await runComponent(scratch.dir, component.path, []);
      expect(ownOf(imports)).toEqual(
        ['types', 'context', 'config', 'secrets', 'http', 'storage', 'logging'].map(
          (name) => `alga:extension/${name}@1.0.0`,
        ),
      );
      const others = imports.filter((name) => !name.startsWith('alga:'));
      expect(others.filter((name) => !WASI_SUPPLIED.test(name))).toEqual([]);
      expect(others.length).toBeGreaterThan(0);
    },
    BUILD_TIMEOUT_MS,
  );

  it('comes with a source map of the extension and the runtime', async () => {
    const { sources } = JSON.parse(await readFile(component.sourceMap ?? '', 'utf8')) as SourceMapPayload;
    expect(sources).toEqual(expect.arrayContaining(['src/index.ts', '@alga/extension-runtime/src/serve.ts']));
  });

  it('tells at once that the build takes a while', () => {
    expect(progress[0]).toBe('building the component (about 5 s)');
  });

  it(
    'is left alone while nothing changes, and built again where the file was damaged or the manifest changed',
    async () => {
      const before = (await stat(component.path)).mtimeMs;
      expect(await built(scratch.dir)).toMatchObject({ unchanged: true, contentHash: component.contentHash });
      expect((await stat(component.path)).mtimeMs).toBe(before);

      await writeFile(component.path, 'damaged');
      component = await built(scratch.dir);
      expect(component.unchanged).toBe(false);
      expect(await firstBytes(component.path, 8)).toEqual(COMPONENT_MAGIC);
    },
    BUILD_TIMEOUT_MS,
  );

  it('leaves nothing in the temporary folder', async () => {
    const mine = (await readdir(tmpdir())).filter((name) => name.startsWith(`alga-build-${process.pid}-`));
    expect(mine).toEqual([]);
  });

  it(
    'does what it says',
    async () => {
      const config = { alga_api_url: 'http://127.0.0.1:8490', page_size: 5 };
      const secrets = { alga_api_key: 'key-1', alga_account_token: 'account-1' };
      const upstream = { status: 200, body: '{"tickets":[1,2],"cursor":"c2","keyGeneration":3}' };
      const ready = { config, secrets, upstream };
      const result = await runComponent(scratch.dir, component.path, [
        { ...ready, method: 'POST', url: '/sync' },
        { ...ready, method: 'POST', url: '/sync' },
        { ...ready, method: 'POST', url: '/sync', refuse: { secrets: 'denied' } },
        { ...ready, method: 'POST', url: '/sync', refuse: { secrets: 'unavailable' } },
        { ...ready, method: 'POST', url: '/sync', upstream: { status: 401, body: '' } },
        { ...ready, method: 'POST', url: '/sync', refuse: { http: 'not-allowed' } },
        { url: '/whoami' },
        { url: '/secret-missing' },
        { url: '/nothing' },
        { url: '/sync', method: 'GET' },
      ]);
      const synced = { synced: 2, cursor: 'c2', keyGeneration: 3, requestId: 'request-1' };
      expect([0, 1, 2, 4, 6, 7, 8, 9].map((index) => parsed(result, index))).toEqual([
        [200, synced],
        [200, synced],
        [403, { error: 'secret_denied' }],
        [502, { error: 'upstream_refused', status: 401 }],
        [200, { requestId: 'request-1', tenantId: 'acme', extensionId: 'probe' }],
        [200, { error: 'missing' }],
        [404, { error: 'not_found' }],
        [405, { error: 'method_not_allowed' }],
      ]);
      expect(result.replies.slice(0, 2).map(({ fetched }) => fetched)).toEqual(
        ['', 'c2'].map((after) => [
          {
            method: 'GET',
            url: `http://127.0.0.1:8490/v1/tickets?after=${after}&limit=5`,
            headers: { authorization: 'Bearer key-1', 'x-alga-account': 'account-1' },
          },
        ]),
      );
      expect(result.replies[0]?.logs).toEqual(['info synced {"tickets":2,"cursor":"c2"}']);
      // What it does not catch fails the call, and standard error says why.
      expect([result.replies[3]?.failed, result.replies[3]?.stderr]).toEqual([
        true,
        expect.stringMatching(/^SecretError: unavailable: .*"alga_api_key".*\n {4}at .*\(index\.js:\d+:\d+\)/),
      ]);
      expect([result.replies[5]?.failed, result.replies[5]?.stderr]).toEqual([
        true,
        expect.stringMatching(/^HttpError: not-allowed: .*\(http:\/\/127\.0\.0\.1:8490\)/),
      ]);
      expect(await mapped(component, result.replies[5]?.stderr ?? '')).toContainEqual(
        expect.stringMatching(/^src\/index\.ts:\d+$/),
      );
      const told = result.replies.map(({ logs, stdout, stderr }) => [logs, stdout, stderr]);
      expect(JSON.stringify(told)).not.toMatch(/key-1|account-1|alga-build-/);
    },
    BUILD_TIMEOUT_MS,
  );
});

/** What the engine adds to the words of the extension when it aborts. */
const ENGINE_NOISE = /^$|^Redirecting call to abort\(\) to mozalloc_abort$/;

const PROBE = `
import { ConfigError, handler, json, SecretError, StorageError } from '@alga/extension-runtime';

const attempt = async (work: () => unknown) => {
  try {
    return await work();
  } catch (error) {
    return error instanceof Error ? error.name + ' ' + ('code' in error ? error.code : error.message) : 'no error';
  }
};

// Kept at the top level, for later.
const { now: start } = Date;
const { random } = Math;
const deep = (): never => {
  throw new RangeError('no such path');
};

let calls = 0;
export default handler(async ({ request, secrets, config, storage, log }) => {
  calls += 1;
  switch (request.path) {
    case '/undeclared':
      return json([await attempt(() => secrets.get('k')), await attempt(() => config.getAll())]);
    case '/storage': {
      const first = await storage.putJson('a/1', { n: 1 }, { ifRevision: 0n });
      const conflict = await attempt(() => storage.put('a/1', 'x', { ifRevision: 9n }));
      await storage.put('a/2', new Uint8Array([0, 255]));
      const { entries } = await storage.list({ prefix: 'a/' });
      const read = [(await storage.get('a/1'))?.json(), [...((await storage.get('a/2'))?.bytes ?? [])]];
      await storage.delete('a/1');
      return json([String(first), conflict, entries.map(({ key }) => key), read, await storage.get('a/1') ?? 'gone']);
    }
    case '/gaps':
      return json([
        await attempt(() => fetch('https://a.example')),
        await attempt(() => start()),
        [random() < 1, Math.random() < 1, new Date() instanceof Date, typeof crypto.randomUUID()],
      ]);
    case '/random':
      return json([Math.random(), crypto.randomUUID(), [...crypto.getRandomValues(new Uint8Array(8))], Date.now()]);
    case '/timers': {
      const began = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 30));
      const reason = await new Promise((resolve) => {
        const signal = AbortSignal.timeout(1);
        signal.onabort = () => resolve(String(signal.reason?.name));
      });
      return json([performance.now() - began, reason]);
    }
    case '/response':
      return new Response(request.text().toUpperCase(), { status: 201, headers: { 'x-a': 'b' } });
    case '/console':
      console.log('from console', { calls });
      log.warn('from log');
      return { status: 204 };
    case '/nothing':
      return undefined as never;
    case '/caused':
      try {
        return deep();
      } catch (cause) {
        throw new Error('not found', { cause });
      }
    default:
      return deep();
  }
});
`;

describe('an extension with few capabilities', () => {
  let scratch: Awaited<ReturnType<typeof scratchDir>>;
  let component: BuiltComponent;
  let result: JobResult;
  beforeAll(async () => {
    scratch = await scratchDir({ 'manifest.json': manifest(), 'src/index.ts': PROBE });
    // From a folder above that of the build: stack frames must name index.js all the same.
    const cwd = process.cwd();
    process.chdir('/');
    component = await built(scratch.dir).finally(() => process.chdir(cwd));
    result = await runComponent(scratch.dir, component.path, [
      { url: '/undeclared' },
      { url: '/storage' },
      { url: '/gaps' },
      { url: '/response', body: 'ä' },
      { url: '/console' },
      { url: '/nothing' },
      { url: '/else' },
      { url: '/random' },
      { url: '/random' },
      { url: '/timers' },
      { url: '/caused' },
    ]);
  }, BUILD_TIMEOUT_MS);
  afterAll(() => scratch.remove());

  it('imports the interfaces of those and no others (I6)', () => {
    // `types` holds records and no function.
    expect(ownOf(result.imports)).toEqual(
      ['types', 'http', 'storage', 'logging'].map((name) => `alga:extension/${name}@1.0.0`),
    );
  });

  it('is denied what it does not declare, as if it had asked the host', () => {
    expect(parsed(result, 0)).toEqual([200, ['SecretError denied', 'ConfigError denied']]);
  });

  it('stores JSON and bytes, loses a race by a conflict, lists and deletes', () => {
    expect(parsed(result, 1)).toEqual([
      200,
      ['1', 'StorageError conflict', ['a/1', 'a/2'], [{ n: 1 }, [0, 255]], 'gone'],
    ]);
  });

  it('is told what the engine lacks, and finds the rest at work, also where a module kept it from the build', () => {
    expect(parsed(result, 2)).toEqual([
      200,
      [
        expect.stringContaining('fetch is not available in an extension: use the http client'),
        expect.any(Number),
        [true, true, true, 'string'],
      ],
    ]);
  });

  it('draws other random numbers in each instance of the same component', () => {
    const [, one] = parsed(result, 7) as [number, unknown[]];
    const [, two] = parsed(result, 8) as [number, unknown[]];
    for (const index of [0, 1, 2]) expect(one[index]).not.toEqual(two[index]);
    expect(Math.abs((one[3] as number) - Date.now())).toBeLessThan(BUILD_TIMEOUT_MS);
  });

  it('can wait', () => {
    const [status, [waited, reason]] = parsed(result, 9) as [number, [number, string]];
    expect([status, reason]).toEqual([200, 'TimeoutError']);
    expect(waited).toBeGreaterThanOrEqual(29);
  });

  it('answers with a standard Response', () => {
    expect(result.replies[3]).toMatchObject({ status: 201, body: 'Ä', headers: { 'x-a': 'b' } });
  });

  it('finds console in its log', () => {
    expect(result.replies[4]).toMatchObject({ status: 204, logs: ['info from console {"calls":1}', 'warn from log'] });
  });

  it('fails the call, with the reason and its place on standard error and nowhere else, where it throws', async () => {
    const [nothing, thrown, , , , caused] = result.replies.slice(5);
    expect(nothing).toMatchObject({ failed: true, logs: [], stdout: '' });
    expect(nothing?.stderr).toMatch(/^TypeError: the handler returned nothing: return json/);

    expect(thrown).toMatchObject({ failed: true, logs: [], stdout: '' });
    const [message, ...frames] = (thrown?.stderr ?? '').split('\n').filter((line) => !ENGINE_NOISE.test(line));
    expect(message).toBe('RangeError: no such path');
    expect(frames.length).toBeGreaterThan(1);
    expect(frames.filter((line) => !/^ {4}at (async )?(\S+ \()?index\.js:\d+:\d+\)?$/.test(line))).toEqual([]);
    const line = PROBE.split('\n').findIndex((text) => text.includes("new RangeError('no such path')")) + 1;
    const caller = PROBE.split('\n').findLastIndex((text) => text.includes('return deep();')) + 1;
    expect((await mapped(component, frames.join('\n'))).slice(0, 2)).toEqual([
      `src/index.ts:${line}`,
      `src/index.ts:${caller}`,
    ]);

    expect(caused?.stderr).toMatch(/^Error: not found\nCaused by: RangeError: no such path\n {4}at deep \(index\.js:/);
    expect(await mapped(component, caused?.stderr ?? '')).toContain(`src/index.ts:${line}`);
  });
});

describe('an extension whose modules fail', () => {
  it(
    'is refused with the reason and the line',
    async () => {
      const source = `import { handler, json } from '@alga/extension-runtime';\n\nconst at: number = Date.now();\nexport default handler(async () => json(at));\n`;
      const { dir, remove } = await scratchDir({ 'manifest.json': manifest(), 'src/index.ts': source });
      try {
        expect(await buildComponent(dir)).toMatchObject({
          ok: false,
          problem: {
            code: 'init_failed',
            message: expect.stringContaining('Date.now at the top level of a module'),
            file: 'src/index.ts',
            line: 3,
          },
        });
        expect(await readdir(dir)).not.toContain('dist');
      } finally {
        await remove();
      }
    },
    BUILD_TIMEOUT_MS,
  );
});
