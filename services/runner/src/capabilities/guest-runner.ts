import type { Bus, KnownSecrets, Logger } from '@alga/chassis';
import type { AuditSecretAccess } from '@alga/contracts';
import type { Artifact } from '../core/artifacts.ts';
import { auditEvent } from '../core/audit-event.ts';
import type { AuthorisedCall } from '../core/execute.ts';
import type { GuestRun } from '../core/guest.ts';
import type { Engine } from '../engine/engine.ts';
import type { CallScope } from './capability.ts';
import { configCapability } from './config.ts';
import { contextCapability } from './context.ts';
import { createDispatcher } from './dispatcher.ts';
import type { HttpCapability } from './http.ts';
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
  return async (call: AuthorisedCall, artifact: Artifact, deadlineMs: number): Promise<GuestRun> => {
    const { envelope, requestId, http, body } = call;
    const { claims } = envelope;
    const scope = scopeOf(parts, call, deadlineMs);
    const log = new GuestLog(parts.logger, parts.knownSecrets, scope);
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
    try {
      const outcome = await parts.engine.execute({
        tenantId,
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
        deadlineMs,
        memoryMb: claims.limits.memoryMb,
      });
      return { outcome, secretsVersion: secrets.version, secretsRetryAfterMs: secrets.retryAfterMs };
    } finally {
      log.end();
      secrets.release();
    }
  };
}

function scopeOf(parts: GuestRunnerParts, call: AuthorisedCall, deadlineMs: number): CallScope {
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
      if (explained > MAX_EXPLAINED) return;
      parts.logger.info({ tenantId, installId, requestId, hostFunction, reason }, 'host call refused');
    },
  };
}
