import { createHash } from 'node:crypto';
import { transpileComponent } from '@alga/artifact';
import { buildGuest, type GuestKind, ROUTES } from '@alga/fixtures';
import type { LoadedArtifact } from '../../../services/runner/src/engine/outcome.ts';
import type { GuestRequest } from '../../../services/runner/src/sandbox/protocol.ts';

export type GuestName = 'C' | 'QuickJS' | 'StarlingMonkey';

export interface BenchGuest {
  readonly name: GuestName;
  readonly component: Uint8Array;
  readonly artifact: LoadedArtifact;
}

const KINDS: ReadonlyMap<GuestName, GuestKind> = new Map([
  ['C', 'c'],
  ['QuickJS', 'quickjs'],
  ['StarlingMonkey', 'starlingmonkey'],
]);
const TRANSPILE_LIMITS = { deadlineMs: 60_000, maxMemoryMb: 1_536 };

/** What the figures are about, by what the guest does. */
export const WORK = {
  /** Reads the request, answers with a small JSON. */
  plain: ROUTES.state,
  /** The same with one secret, got by a host function. */
  secret: ROUTES.manySecrets(1),
  /** One host call that takes as long as the host likes. */
  wait: ROUTES.fetch,
  loop: ROUTES.loop,
  compute: ROUTES.compute,
} as const;

/** The fixture guests, as the registry would store them. */
export async function buildGuests(): Promise<readonly BenchGuest[]> {
  return Promise.all([...KINDS].map(([name, kind]) => benchGuest(name, kind)));
}

async function benchGuest(name: GuestName, kind: GuestKind): Promise<BenchGuest> {
  const { component } = await buildGuest(kind);
  const transpiled = await transpileComponent(component, TRANSPILE_LIMITS);
  if (!transpiled.ok) throw new Error(`the ${name} guest was refused: ${transpiled.message}`);
  const { files, entry, modules, pool } = transpiled;
  const contentHash = `sha256:${createHash('sha256').update(component).digest('hex')}`;
  return { name, component, artifact: { contentHash, entry, files, modules, pool, sourceMap: null } };
}

/** A request as the gateway hands it on. */
export function requestOf(url: string): GuestRequest {
  return {
    context: {
      requestId: 'request-1',
      tenantId: 'acme',
      extensionId: 'bench',
      installId: 'inst-1',
      versionId: '1.0.0',
    },
    http: {
      method: 'GET',
      url,
      headers: [
        { name: 'accept', value: 'application/json' },
        { name: 'user-agent', value: 'bench' },
      ],
    },
  };
}
