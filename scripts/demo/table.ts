import type { Stack } from '@alga/local-stack';
import Table from 'cli-table3';
import type { DemoFigures } from './scenario.ts';

/** What was measured and where things are, for the person at the terminal. */
export function closingTable(figures: DemoFigures, stack: Stack, invokeKeyFile: string): string {
  const { call, rotation, secretsInLogs } = figures;
  const measured = new Table({ head: ['what', 'figure'], style: { head: [], border: [] } });
  measured.push(
    ['call, p50 / p99', `${call.p50Ms} / ${call.p99Ms} ms (${call.n} calls)`],
    ['rotation, acknowledged in', `${rotation.ackMs} ms`],
    ['calls across the rotation', `${rotation.calls}, ${rotation.staleReads} stale, ${rotation.failed} failed`],
    ['secret values in logs, Redis, Postgres, bus', String(secretsInLogs)],
  );
  const places = new Table({ head: ['part', 'where'], style: { head: [], border: [] } });
  places.push(
    ['gateway', `${stack.urls.gateway}/api/ext/ticket-sync/tickets`],
    ['control-plane (admin API)', `${stack.urls.controlPlane}/v1/tenants`],
    ['registry', `${stack.urls.registry}/v1/extensions`],
    ['secrets-broker (audit)', `${stack.urls.secretsBroker}/v1/audit`],
    ['logs', stack.logsDir],
    ['operator key', `${stack.keysDir}/operator-key`],
  );
  const command = `curl -H "authorization: Bearer $(cat ${invokeKeyFile})" ${stack.urls.gateway}/api/ext/ticket-sync/tickets`;
  return `\n${measured.toString()}\n${places.toString()}\n\nTry it:\n  ${command}\n`;
}
