import type { Logger } from '@alga/chassis';
import { AlgaError } from '@alga/contracts';
import { metrics, SpanStatusCode, trace } from '@opentelemetry/api';
import type { AuthorisedCall, ExecutionObserver } from '../core/execute.ts';
import type { SecretsLookup } from '../core/secrets-cache.ts';

interface RunnerTelemetry extends ExecutionObserver {
  secretsLookedUp(lookup: SecretsLookup, ms: number): void;
  hostCalled(hostFunction: string, ms: number): void;
  auditDropped(count: number): void;
}

/** Spans, histograms and the log line of a failed execution. No attribute holds a value (I3). */
export function createObserver(logger: Logger, inFlight: () => number): RunnerTelemetry {
  const tracer = trace.getTracer('alga.runner');
  const meter = metrics.getMeter('alga.runner');
  const ms = (name: string, description: string) => meter.createHistogram(name, { description, unit: 'ms' });
  const executions = ms('alga_runner_execution_ms', 'Executions by outcome');
  const phases = ms('alga_runner_phase_ms', 'Parts of an execution: artifact, guest, secrets');
  const hostCalls = ms('alga_runner_host_call_ms', 'Host calls by function');
  const lookups = meter.createCounter('alga_runner_secrets_lookups', {
    description: 'By where they were found, or why not',
  });
  const dropped = meter.createCounter('alga_runner_audit_dropped', {
    description: 'Audit records that could not be kept',
  });
  meter
    .createObservableGauge('alga_runner_in_flight', { description: 'Executions running now' })
    .addCallback((result) => result.observe(inFlight()));
  return {
    execution(call, work) {
      const started = performance.now();
      return tracer.startActiveSpan('execute', { attributes: labelsOf(call) }, async (span) => {
        let outcome = 'ok';
        try {
          return await work();
        } catch (error) {
          outcome = error instanceof AlgaError ? error.code : 'internal';
          span.setStatus({ code: SpanStatusCode.ERROR, message: outcome });
          throw error;
        } finally {
          span.setAttribute('alga.outcome', outcome);
          span.end();
          executions.record(performance.now() - started, { outcome });
        }
      });
    },
    phase: (phase, duration) => phases.record(duration, { phase }),
    guestFailed(call, failure, code) {
      const { tenantId, installId, extensionId, version } = call.envelope.claims;
      // Member by member: the guest's own words are for its author's log.
      const { kind, message, limit, started } = {
        message: undefined,
        limit: undefined,
        started: undefined,
        ...failure,
      };
      logger.warn(
        {
          ...{ tenantId, installId, extensionId, version, requestId: call.requestId, code },
          failure: { kind, message, limit, started },
        },
        'the guest gave no response',
      );
    },
    secretsLookedUp(lookup, duration) {
      phases.record(duration, { phase: 'secrets' });
      lookups.add(1, { result: lookup.ok ? lookup.source : lookup.error });
    },
    hostCalled: (hostFunction, duration) => hostCalls.record(duration, { function: hostFunction }),
    auditDropped: (count) => dropped.add(count),
  };
}

function labelsOf({ envelope, requestId }: AuthorisedCall): Record<string, string> {
  const { tenantId, installId, extensionId, version } = envelope.claims;
  return {
    'alga.tenant_id': tenantId,
    'alga.install_id': installId,
    'alga.extension_id': extensionId,
    'alga.version': version,
    'alga.request_id': requestId,
  };
}
