import type { IncomingMessage, ServerResponse } from 'node:http';
import { context, metrics, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';

/** A collector that hangs must not hold up a shutdown. */
const EXPORT_TIMEOUT_MS = 2_000;

interface Telemetry {
  /** Answers a scrape in the Prometheus text format. */
  handleMetrics(request: IncomingMessage, response: ServerResponse): void;
  close(): Promise<void>;
}

/** Registers the global tracer, meter and W3C propagator. Spans are exported only when there is an OTLP endpoint. */
export function startTelemetry(options: {
  service: string;
  instance: string;
  otlpEndpoint: string | undefined;
}): Telemetry {
  const resource = resourceFromAttributes({
    'service.name': `alga-${options.service}`,
    'service.instance.id': options.instance,
  });
  const exporters =
    options.otlpEndpoint === undefined
      ? []
      : [
          new BatchSpanProcessor({
            exporter: new OTLPTraceExporter({ url: `${options.otlpEndpoint.replace(/\/$/, '')}/v1/traces` }),
            exportTimeoutMillis: EXPORT_TIMEOUT_MS,
          }),
        ];
  // Without an exporter nobody reads a span; its ids are still made and passed on, for the logs.
  const sampler =
    exporters.length === 0 ? new AlwaysOffSampler() : new ParentBasedSampler({ root: new AlwaysOnSampler() });
  const tracers = new TracerProvider({ resource, sampler, spanProcessors: exporters });
  const prometheus = new PrometheusExporter({ preventServerStart: true });
  const meters = new MeterProvider({ resource, readers: [prometheus] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(tracers);
  metrics.setGlobalMeterProvider(meters);
  return {
    handleMetrics: (request, response) => prometheus.getMetricsRequestHandler(request, response),
    async close() {
      await Promise.allSettled([tracers.shutdown(), meters.shutdown()]);
    },
  };
}
