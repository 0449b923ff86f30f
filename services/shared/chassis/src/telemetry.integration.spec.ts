import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { channels } from '@alga/contracts';
import { type RunningServer, startNats } from '@alga/local-stack';
import { trace } from '@opentelemetry/api';
import { Bus } from './bus.ts';
import { Health } from './health.ts';
import { createHttpServer } from './http.ts';
import { KnownSecrets } from './known-secrets.ts';
import { createLogger } from './logger.ts';
import { startTelemetry } from './telemetry.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const CALLER_SPAN = 'b7ad6b7169203331';

interface ExportedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
}

interface Export {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly ExportedSpan[] }[] }[];
}

let nats: RunningServer;
beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats.stop());

/** A collector that keeps what it is sent. */
async function collector() {
  const spans: ExportedSpan[] = [];
  const server = createServer(async (request, response) => {
    const { resourceSpans } = JSON.parse(Buffer.concat(await request.toArray()).toString()) as Export;
    spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { spans, endpoint: `http://127.0.0.1:${port}`, close: () => server.close() };
}

/** One HTTP request under the caller's trace; its handler asks over NATS, and the answer says in which trace it was made. */
async function callThrough(telemetry: ReturnType<typeof startTelemetry>): Promise<string> {
  const knownSecrets = new KnownSecrets();
  const destination = { write: () => {} };
  const logger = createLogger({ service: 'gateway', instance: 'spec', level: 'fatal', knownSecrets, destination });
  const health = new Health();
  const http = createHttpServer({ health, logger, maxBodyBytes: 1024, handleMetrics: telemetry.handleMetrics });
  const [client, server] = await Promise.all(
    ['gateway', 'control-plane'].map((service) => Bus.connect({ url: nats.url, service, logger })),
  );
  if (client === undefined || server === undefined) throw new Error('unreachable');
  try {
    server.serve(channels.apikeyVerify, async () => ({
      keyId: trace.getActiveSpan()?.spanContext().traceId ?? 'none',
      scopes: ['invoke'],
    }));
    await server.connection.flush();
    http.get('/ask', () => client.request(channels.apikeyVerify, { keySha256: 'a'.repeat(64) }, { deadlineMs: 5_000 }));
    const address = await http.listen({ host: '127.0.0.1', port: 0 });
    const headers = { traceparent: `00-${TRACE_ID}-${CALLER_SPAN}-01` };
    const answer = await fetch(`${address}/ask`, { headers });
    expect(answer.status).toBe(200);
    return ((await answer.json()) as { keyId: string }).keyId;
  } finally {
    await http.close();
    await Promise.all([client.close(), server.close()]);
  }
}

describe('a trace', () => {
  it('goes from HTTP through NATS to the handler, each span below the one before, and to the collector', async () => {
    const sink = await collector();
    try {
      const telemetry = startTelemetry({ service: 'gateway', instance: 'spec', otlpEndpoint: sink.endpoint });
      try {
        expect(await callThrough(telemetry)).toBe(TRACE_ID);
      } finally {
        await telemetry.close();
      }
    } finally {
      sink.close();
    }
    const [http, send, handle] = ['GET /ask', 'send apikey-verify-request', 'handle apikey-verify-request'].map(
      (name) => sink.spans.find((span) => span.name === name),
    );
    expect(http).toMatchObject({ traceId: TRACE_ID, parentSpanId: CALLER_SPAN });
    expect(send).toMatchObject({ traceId: TRACE_ID, parentSpanId: http?.spanId });
    expect(handle).toMatchObject({ traceId: TRACE_ID, parentSpanId: send?.spanId });
  });
});
