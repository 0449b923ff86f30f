import { readFile } from 'node:fs/promises';
import type { FieldError } from '@alga/contracts';
import { done, type Outcome, type Problem, type Progress, refused } from './outcome.ts';

export interface PublishOptions {
  /** Path of a `bundle.tar.zst`. */
  readonly file: string;
  /** Base URL of the registry. */
  readonly registry: string;
  /** Bearer token; never logged and never part of a problem. */
  readonly token: string;
  /** Milliseconds until the registry counts as unreachable. Publishing compiles the component: seconds are normal. */
  readonly deadlineMs?: number;
  /** Hears of each stage that the registry begins. */
  readonly progress?: Progress;
}

export interface PublishedVersion {
  readonly extensionId: string;
  readonly version: string;
  readonly contentHash: string;
}

const DEADLINE_MS = 120_000;
/** A receipt and some twenty lines of progress have a few thousand bytes; more than this is not from a registry. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** One JSON text per line: what goes on, then the end. */
const NDJSON = 'application/x-ndjson';
/** It is shown on a terminal. */
const STAGE = /^[a-z][a-z ]{0,31}$/;

/** Uploads a bundle. */
export async function publishBundle(options: PublishOptions): Promise<Outcome<PublishedVersion>> {
  const endpoint = endpointOf(options.registry);
  if (!endpoint.ok) return endpoint;
  const body = await readFile(options.file);
  let answer: Answer;
  try {
    const response = await fetch(endpoint.value, {
      method: 'POST',
      headers: {
        'content-type': 'application/zstd',
        accept: `${NDJSON}, application/json, application/problem+json`,
        authorization: `Bearer ${options.token}`,
      },
      body,
      // A redirect would take the bundle, and with some clients the token, to a host nobody named.
      redirect: 'manual',
      signal: AbortSignal.timeout(options.deadlineMs ?? DEADLINE_MS),
    });
    answer = await readAnswer(response, options.progress ?? (() => {}));
  } catch (error) {
    return unreachable(endpoint.value.origin, error);
  }
  const { published, problem, status } = answer;
  if (isPublished(published)) return done(pick(published));
  if (isProblem(problem)) return refused(problemOf(problem));
  return notARegistry(endpoint.value.origin, status);
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

/** What the registry says in the end: one of the two, or neither where it is no registry. */
interface Answer {
  readonly status: number;
  readonly published?: unknown;
  readonly problem?: unknown;
}

async function readAnswer(response: Response, progress: Progress): Promise<Answer> {
  const { status, ok } = response;
  if (!(response.headers.get('content-type') ?? '').startsWith(NDJSON)) {
    let text = '';
    for await (const piece of textOf(response)) text += piece;
    return ok ? { status, published: parseJson(text) } : { status, problem: parseJson(text) };
  }
  let held = '';
  for await (const piece of textOf(response)) {
    const lines = (held + piece).split('\n');
    held = lines.pop() ?? '';
    for (const line of lines) {
      const said = parseJson(line);
      if (!isRecord(said)) return { status };
      const { stage, state, result, problem } = said;
      if (result !== undefined) return { status, published: result };
      if (problem !== undefined) return { status, problem };
      if (state === 'begun' && typeof stage === 'string' && STAGE.test(stage)) progress(`publishing: ${stage}`);
    }
  }
  return { status };
}

/** The body's text as it arrives; cut off where it is too large to be an answer. */
async function* textOf(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) return;
    yield decoder.decode(chunk, { stream: true });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
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
