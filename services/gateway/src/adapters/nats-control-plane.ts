import type { Bus } from '@alga/chassis';
import { AlgaError, channels, type ErrorCode } from '@alga/contracts';
import type { ControlPlane } from '../core/calls.ts';

/** Both questions are one indexed read: longer than this and it will not come. */
const MAX_WAIT_MS = 3_000;

/** It cannot be asked just now: nothing has been started, so the caller may simply repeat. */
const UNREACHABLE = new Set<ErrorCode>(['unavailable', 'deadline_exceeded', 'overloaded', 'draining']);

export function natsControlPlane(bus: Bus): ControlPlane {
  return {
    verifyKey: (keySha256, deadlineMs) =>
      answerOf(['unauthenticated'], bus.request(channels.apikeyVerify, { keySha256 }, waitFor(deadlineMs))),
    resolveInstall: (tenantId, extensionId, deadlineMs) =>
      answerOf(
        ['extension_not_found', 'install_suspended'],
        bus.request(channels.installResolve, { tenantId, extensionId }, waitFor(deadlineMs)),
      ),
  };
}

const waitFor = (deadlineMs: number) => ({ deadlineMs: Math.min(deadlineMs, MAX_WAIT_MS) });

/** Only refusals that are part of the question reach the caller as they are. */
async function answerOf<T>(refusals: readonly ErrorCode[], answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    const code = cause instanceof AlgaError ? cause.code : 'internal';
    if (refusals.includes(code)) throw cause;
    if (UNREACHABLE.has(code)) throw new AlgaError('unavailable', 'The control plane cannot be reached.', { cause });
    throw new AlgaError('internal', undefined, { cause });
  }
}
