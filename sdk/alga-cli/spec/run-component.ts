// Runs a component under a host made of plain values, a fresh instance per request, and prints what came back as JSON.
// A process of its own, because what jco generates cannot be imported in the test runner's context.
//
//   node run-component.ts JOB    JOB: JSON file of type Job

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { componentWit, transpile } from '@bytecodealliance/jco';
import { wasi } from './wasi.ts';

/** What the host offers. A value under `refuse` makes that interface answer with this error. */
interface Job {
  readonly component: string;
  readonly workDir: string;
  readonly requests: readonly JobRequest[];
}

export interface JobRequest {
  readonly url: string;
  readonly method?: string;
  readonly body?: string;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly upstream?: { readonly status: number; readonly body: string };
  readonly refuse?: { readonly secrets?: string; readonly http?: string; readonly storage?: string };
}

interface JobReply {
  /** Absent where the call failed. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly failed?: true;
  readonly logs: readonly string[];
  readonly stdout: string;
  readonly stderr: string;
  readonly fetched: readonly { readonly method: string; readonly url: string; readonly headers: unknown }[];
}

export interface JobResult {
  /** As the component itself states them, versions included. */
  readonly imports: readonly string[];
  readonly replies: readonly JobReply[];
}

const jobPath = process.argv[2];
if (jobPath === undefined) throw new Error('usage: run-component.ts JOB');
const job = JSON.parse(await readFile(jobPath, 'utf8')) as Job;

const component = await readFile(job.component);
const imports = [...(await componentWit(component)).matchAll(/^ {2}import ([^;]+);$/gm)].map(([, name]) => name ?? '');
const { files } = await transpile(component, {
  name: 'component',
  instantiation: 'async',
  asyncMode: 'jspi',
  asyncImports: imports.filter((name) => name.startsWith('wasi:io/poll@')).map((name) => `${name}#poll`),
  asyncExports: ['handler'],
  wasiShim: false,
  nodejsCompat: false,
  base64Cutoff: 0,
  namespacedExports: false,
  validLiftingOptimization: false,
  tlaCompat: false,
});
const modules = new Map<string, WebAssembly.Module>();
for (const [name, bytes] of Object.entries(files)) {
  if (name.endsWith('.wasm')) modules.set(name, new WebAssembly.Module(bytes));
}
const glue = join(job.workDir, 'component.mjs');
await writeFile(glue, files['component.js'] ?? '');
const { instantiate } = (await import(pathToFileURL(glue).href)) as {
  instantiate: (getCore: (name: string) => WebAssembly.Module | undefined, imports: object) => Promise<Guest>;
};

interface Guest {
  handler(request: object): Promise<{
    status: number;
    headers: { name: string; value: string }[];
    body?: Uint8Array;
  }>;
}

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const refuse = (payload: string): never => {
  throw Object.assign(new Error(payload), { payload });
};

// Storage outlives a request; everything else is the request's own.
const stored = new Map<string, { key: string; value: Uint8Array; revision: bigint }>();

async function call(request: JobRequest): Promise<JobReply> {
  const logs: string[] = [];
  const stdout: string[] = [];
  const stderr: string[] = [];
  const fetched: { method: string; url: string; headers: unknown }[] = [];
  const secrets = new Map(Object.entries(request.secrets ?? {}));
  const config = new Map(Object.entries(request.config ?? {}));
  const context = { requestId: 'request-1', tenantId: 'acme', extensionId: 'probe' };
  const host = {
    'alga:extension/context': { getContext: () => context },
    'alga:extension/config': {
      get: (key: string) => (config.has(key) ? JSON.stringify(config.get(key)) : undefined),
      getAll: () => JSON.stringify(request.config ?? {}),
    },
    'alga:extension/secrets': {
      get: (key: string) =>
        request.refuse?.secrets ? refuse(request.refuse.secrets) : (secrets.get(key) ?? refuse('missing')),
      listKeys: () => [...secrets.keys()],
    },
    'alga:extension/http': {
      fetch: ({
        method,
        url,
        headers,
      }: {
        method: string;
        url: string;
        headers: { name: string; value: string }[];
      }) => {
        fetched.push({ method, url, headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])) });
        if (request.refuse?.http) refuse(request.refuse.http);
        return { status: request.upstream?.status ?? 200, headers: [], body: encode(request.upstream?.body ?? '') };
      },
    },
    'alga:extension/storage': {
      get: (key: string) => stored.get(key) ?? refuse(request.refuse?.storage ?? 'missing'),
      put: (key: string, value: Uint8Array, expected: bigint | undefined) => {
        const current = stored.get(key)?.revision ?? 0n;
        if (expected !== undefined && expected !== current) refuse('conflict');
        stored.set(key, { key, value, revision: current + 1n });
        return current + 1n;
      },
      delete: (key: string) => (stored.delete(key) ? undefined : refuse('missing')),
      listEntries: (prefix: string) => ({ entries: [...stored.values()].filter(({ key }) => key.startsWith(prefix)) }),
    },
    'alga:extension/logging': {
      logInfo: (message: string) => void logs.push(`info ${message}`),
      logWarn: (message: string) => void logs.push(`warn ${message}`),
      logError: (message: string) => void logs.push(`error ${message}`),
    },
    ...wasi(
      (text) => void stdout.push(text),
      (text) => void stderr.push(text),
    ),
  };
  const told = () => ({ logs, fetched, stdout: stdout.join(''), stderr: stderr.join('') });
  try {
    const guest = await instantiate((name) => modules.get(name), host);
    const { status, headers, body } = await guest.handler({
      context,
      http: {
        method: request.method ?? 'GET',
        url: request.url,
        headers: [],
        body: request.body === undefined ? undefined : encode(request.body),
      },
    });
    const named = Object.fromEntries(headers.map(({ name, value }) => [name, value]));
    return { status, headers: named, body: decode(body), ...told() };
  } catch (error) {
    // The engine's trap. Anything else is a fault of this script.
    if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    return { failed: true, ...told() };
  }
}

const replies: JobReply[] = [];
for (const request of job.requests) replies.push(await call(request));
const result: JobResult = { imports, replies };
process.stdout.write(JSON.stringify(result));
