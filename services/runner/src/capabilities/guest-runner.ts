import type { Bus, KnownSecrets, Logger } from '@alga/chassis';
import type { AuditSecretAccess } from '@alga/contracts';
import type { Artifact } from '../core/artifacts.ts';
import { auditEvent } from '../core/audit-event.ts';
import type { Allowance, AuthorisedCall } from '../core/execute.ts';
import { type GuestOutcome, type GuestRun, guestRan, toError } from '../core/guest.ts';
import type { Engine } from '../engine/engine.ts';
import type { CallScope } from './capability.ts';
import { configCapability } from './config.ts';
import { contextCapability } from './context.ts';
import { createDispatcher } from './dispatcher.ts';
import { GuestText } from './guest-text.ts';
import type { HttpCapability } from './http.ts';
import { type LogRate, LogRates } from './log-rate.ts';
import { GuestLog } from './logging.ts';
import { RequestSecrets, type SecretsParts } from './secrets.ts';
import { storageCapability } from './storage.ts';

/** Explanations per request: a guest in a loop must not fill the log. */
const MAX_EXPLAINED = 5;

interface GuestRunnerParts {
  readonly engine: Pick<Engine, 'execute'>;
  readonly bus: Pick<Bus, 'request'>;
  readonly http: Pick<HttpCapability, 'fetch'>;
  readonly lookupSecrets: SecretsParts['lookup'];
  readonly recordAudit: (event: AuditSecretAccess) => void;
  readonly knownSecrets: KnownSecrets;
  readonly logger: Logger;
  readonly runnerId: string;
  readonly newId: () => string;
  /** Wall clock. */
  readonly nowMs: () => number;
  readonly onHostCall: (hostFunction: string, ms: number) => void;
}

/** Opens the host for one request and lets the engine run the guest against it. */
export function createGuestRunner(parts: GuestRunnerParts) {
  const logRates = new LogRates(() => performance.now());
  return async (call: AuthorisedCall, artifact: Artifact, allowance: Allowance): Promise<GuestRun> => {
    const { envelope, requestId, http, body } = call;
    const { claims } = envelope;
    const { deadlineMs, limits } = allowance;
    const rate = logRates.of(claims.tenantId, claims.installId);
    const scope = scopeOf(parts, call, deadlineMs, rate);
    const audit: SecretsParts['audit'] = (access) =>
      parts.recordAudit(
        auditEvent(
          access,
          { claims, requestId, runnerId: parts.runnerId },
          { id: parts.newId(), nowMs: parts.nowMs() },
        ),
      );
    const { knownSecrets, nowMs, lookupSecrets: lookup } = parts;
    const secrets = new RequestSecrets({ envelope, lookup, audit, knownSecrets, nowMs }, scope);
    const { tenantId, extensionId, installId, version: versionId } = claims;
    const log = new GuestLog(
      {
        logger: parts.logger,
        text: new GuestText(knownSecrets, () => secrets.values),
        rate,
        logBytes: limits.logBytes,
      },
      scope,
    );
    const maySpeak = claims.capabilities.includes('logging.write');
    try {
      const outcome: GuestOutcome = await parts.engine.execute({
        tenantId,
        installId,
        artifact,
        request: {
          context: { requestId, tenantId, extensionId, installId, versionId },
          http: { method: http.method, url: http.url, headers: http.headers, ...(http.hasBody ? { body } : {}) },
        },
        host: createDispatcher({
          granted: claims.capabilities,
          interfaces: {
            context: contextCapability(scope),
            config: configCapability(call.config, scope),
            secrets: secrets.capability(),
            http: {
              fetch: ([request]) =>
                parts.http.fetch(request, { allow: claims.egress, deadlineMs: scope.remainingMs() }),
            },
            storage: storageCapability(parts.bus, scope),
            logging: log.capability(),
          },
          onDenied: (interfaceName, functionName, args) => {
            if (interfaceName === 'secrets') secrets.deniedFor(functionName, args);
            scope.explain(`${interfaceName}.${functionName}`, 'the capability is not granted');
          },
          onCall: parts.onHostCall,
        }),
        onOutput: (stream, text) => {
          if (maySpeak) log.writeOutput(stream, text);
        },
        deadlineMs,
        limits,
      });
      const learnt = { secretsVersion: secrets.version, secretsRetryAfterMs: secrets.retryAfterMs };
      if (outcome.kind === 'response') return { outcome, ...learnt };
      const { guest, ...failure } = { guest: undefined, ...outcome };
      // Written whether or not the guest may log: it is how its author learns why it failed, and one line per failed call.
      if (guestRan(failure)) log.writeFailure(toError(failure, learnt, limits), guest);
      return { outcome: failure, ...learnt };
    } finally {
      log.end();
      secrets.release();
    }
  };
}

function scopeOf(parts: GuestRunnerParts, call: AuthorisedCall, deadlineMs: number, rate: LogRate): CallScope {
  const { claims, token } = call.envelope;
  const { requestId } = call;
  const { tenantId, installId } = claims;
  const end = performance.now() + deadlineMs;
  let explained = 0;
  return {
    claims,
    token,
    requestId,
    remainingMs: () => end - performance.now(),
    explain(hostFunction, reason) {
      explained += 1;
      if (explained > MAX_EXPLAINED || !rate.take()) return;
      parts.logger.info({ tenantId, installId, requestId, hostFunction, reason }, 'host call refused');
    },
  };
}
