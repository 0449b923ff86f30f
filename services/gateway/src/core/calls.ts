import {
  AlgaError,
  type ApikeyVerifyReply,
  type ExecuteReplyHead,
  type ExecuteRequestHead,
  type Framed,
  type InstallResolveReply,
  parse,
} from '@alga/contracts';
import { type Attempt, type AttemptOutcome, type Dispatched, dispatch } from './dispatch.ts';

/** What the gateway asks of the control plane. Each rejects with an AlgaError: its refusal, or `unavailable`. */
export interface ControlPlane {
  verifyKey(keySha256: string, deadlineMs: number): Promise<ApikeyVerifyReply>;
  resolveInstall(tenantId: string, extensionId: string, deadlineMs: number): Promise<InstallResolveReply>;
}

/** Where executions go. */
export interface Runners {
  /** One attempt; settles within its deadline and never rejects. Calls of the same key prefer the same runner. */
  execute(
    message: Framed<ExecuteRequestHead>,
    key: string,
    attempt: Attempt,
  ): Promise<AttemptOutcome<Framed<ExecuteReplyHead>>>;
}

interface Call {
  readonly requestId: string;
  readonly tenantId: string;
  /** As the address has it, unchecked. */
  readonly extensionId: string;
  readonly http: ExecuteRequestHead['http'];
  readonly body: Uint8Array;
  /** When the caller must have an answer, as a reading of the monotonic clock in ms. */
  readonly deadlineAt: number;
}

type CallOutcome = Dispatched<Framed<ExecuteReplyHead>> & { readonly resolveMs: number };

/** The tenant that a key speaks for. @throws AlgaError `forbidden` */
export function tenantOf(key: ApikeyVerifyReply): string {
  if (!key.scopes.includes('invoke')) throw new AlgaError('forbidden', 'The API key lacks the scope `invoke`.');
  if (key.tenantId === undefined) throw new AlgaError('forbidden', 'The API key belongs to no tenant.');
  return key.tenantId;
}

/** Resolves the install and has a runner execute the call. @throws AlgaError when it is refused before any runner was asked. */
export async function execute(
  call: Call,
  parts: { readonly controlPlane: ControlPlane; readonly runners: Runners; readonly now: () => number },
): Promise<CallOutcome> {
  const { controlPlane, runners, now } = parts;
  const { requestId, tenantId, extensionId } = call;
  const asked = parse('install-resolve-request', { tenantId, extensionId });
  if (!asked.ok) throw new AlgaError('bad_request', 'The extension id is not one.', { errors: asked.errors });
  const started = now();
  // Each call resolves anew: the envelope's floor is the epoch as committed after the call reached us (I1).
  const install = await controlPlane.resolveInstall(tenantId, extensionId, call.deadlineAt - started);
  const { installId, config, limits, secretsEnvelope } = install;
  const resolveMs = now() - started;
  const head = {
    requestId,
    tenantId,
    extensionId,
    installId,
    config,
    envelope: secretsEnvelope.token,
    http: call.http,
  };
  const outcome = await dispatch(
    { method: call.http.method, timeoutMs: limits.timeoutMs, deadlineAt: call.deadlineAt, now },
    (attempt) => runners.execute({ head, body: call.body }, `${tenantId}/${extensionId}`, attempt),
  );
  return { ...outcome, resolveMs };
}
