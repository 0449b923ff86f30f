import { readFile } from 'node:fs/promises';
import type { FieldError } from '@alga/contracts';
import { done, type Outcome, type Problem, refused } from './outcome.ts';

export interface PublishOptions {
  /** Path of a `bundle.tar.zst`. */
  readonly file: string;
  /** Base URL of the registry. */
  readonly registry: string;
  /** Bearer token; never logged and never part of a problem. */
  readonly token: string;
  /** Milliseconds until the registry counts as unreachable. Publishing compiles the component: seconds are normal. */
  readonly deadlineMs?: number;
}

export interface PublishedVersion {
  readonly extensionId: string;
  readonly version: string;
  readonly contentHash: string;
}

const DEADLINE_MS = 120_000;
/** A problem document is a few hundred bytes; more than this is not from a registry. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** Uploads a bundle. */
export async function publishBundle(options: PublishOptions): Promise<Outcome<PublishedVersion>> {
  const endpoint = endpointOf(options.registry);
  if (!endpoint.ok) return endpoint;
  const body = await readFile(options.file);
  let status: number;
  let answer: unknown;
  try {
    const response = await fetch(endpoint.value, {
      method: 'POST',
      headers: { 'content-type': 'application/zstd', authorization: `Bearer ${options.token}` },
      body,
      // A redirect would take the bundle, and with some clients the token, to a host nobody named.
      redirect: 'manual',
      signal: AbortSignal.timeout(options.deadlineMs ?? DEADLINE_MS),
    });
    status = response.status;
    answer = await readJson(response);
  } catch (error) {
    return unreachable(endpoint.value.origin, error);
  }
  if (status >= 200 && status < 300) {
    return isPublished(answer) ? done(pick(answer)) : notARegistry(endpoint.value.origin, status);
  }
  return isProblem(answer) ? refused(problemOf(answer)) : notARegistry(endpoint.value.origin, status);
}

function endpointOf(registry: string): Outcome<URL> {
  const base = URL.canParse(registry) ? new URL(registry) : undefined;
  if (base === undefined || !/^https?:$/.test(base.protocol) || base.username !== '' || base.password !== '') {
    return {
      ok: false,
      problem: {
        kind: 'usage',
        code: 'registry_url_invalid',
        message: 'The registry is not an http or https URL without credentials.',
        fix: 'Give it as --registry https://registry.example.',
      },
    };
  }
  return done(new URL(`${base.pathname.replace(/\/+$/, '')}/v1/bundles`, base));
}

async function readJson(response: Response): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) return undefined;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return undefined;
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isPublished(answer: unknown): answer is PublishedVersion {
  return (
    isRecord(answer) && ['extensionId', 'version', 'contentHash'].every((name) => typeof answer[name] === 'string')
  );
}

const pick = ({ extensionId, version, contentHash }: PublishedVersion): PublishedVersion => ({
  extensionId,
  version,
  contentHash,
});

interface ProblemDocument {
  readonly code: string;
  readonly detail: string;
  readonly fix?: unknown;
  readonly requestId?: unknown;
  readonly errors?: unknown;
}

function isProblem(answer: unknown): answer is ProblemDocument & Record<string, unknown> {
  return isRecord(answer) && typeof answer.code === 'string' && typeof answer.detail === 'string';
}

function problemOf(answer: ProblemDocument): Omit<Problem, 'kind'> {
  const errors = (Array.isArray(answer.errors) ? answer.errors : []).filter(
    (error): error is FieldError =>
      isRecord(error) && typeof error.field === 'string' && typeof error.reason === 'string',
  );
  return {
    code: answer.code,
    message: answer.detail,
    fix: typeof answer.fix === 'string' ? answer.fix : 'See the code in the documentation.',
    ...(errors.length > 0 && { errors: errors.map(({ field, reason }) => ({ field, reason })) }),
    ...(typeof answer.requestId === 'string' && { requestId: answer.requestId }),
  };
}

function notARegistry(origin: string, status: number): Outcome<never> {
  return refused({
    code: 'not_a_registry',
    message: `${origin} answered ${status}, but not as a registry does.`,
    fix: 'Check the address given as --registry.',
  });
}

function unreachable(origin: string, error: unknown): Outcome<never> {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : undefined;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const timedOut = error instanceof Error && error.name === 'TimeoutError';
  return {
    ok: false,
    problem: {
      kind: 'unreachable',
      code: 'registry_unreachable',
      message: timedOut
        ? `${origin} gave no answer in time.`
        : `${origin} cannot be reached (${code ?? 'no connection'}).`,
      fix: 'Check that the registry runs, and the address given as --registry.',
    },
  };
}
