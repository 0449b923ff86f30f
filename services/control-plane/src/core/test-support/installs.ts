import { parseManifest, type ResolvedManifest } from '@alga/contracts';
import type { InstallDetails, Release } from '../install.ts';

/** A valid manifest with the given parts. */
export function manifest(parts: Partial<ResolvedManifest> = {}): ResolvedManifest {
  const parsed = parseManifest({
    manifestVersion: 1,
    extensionId: 'ticket-sync',
    version: '1.0.0',
    title: 'Ticket sync',
    runtime: 'component',
    component: 'component.wasm',
    capabilities: ['secrets.get', 'storage.read'],
    egress: ['https://api.example'],
    secrets: [{ key: 'api_key' }],
    ...parts,
  });
  if (!parsed.ok) throw new TypeError(JSON.stringify(parsed.errors));
  return parsed.manifest;
}

export const release = (parts: Partial<ResolvedManifest> = {}, hash = 'a'): Release => {
  const resolved = manifest(parts);
  return {
    extensionId: resolved.extensionId,
    version: resolved.version,
    contentHash: `sha256:${hash.repeat(64)}`,
    manifest: resolved,
  };
};

/** An active install with all that its manifest declares granted. */
export const install = (parts: Partial<InstallDetails> = {}): InstallDetails => {
  const installed = parts.release ?? release();
  return {
    tenantId: 'acme',
    installId: 'ticket-sync-abcdefgh',
    release: installed,
    status: 'active',
    secretsVersion: 7,
    config: '{}',
    configVersion: 2,
    grants: { capabilities: installed.manifest.capabilities, egress: installed.manifest.egress },
    createdAt: new Date(0),
    updatedAt: new Date(0),
    secrets: [],
    ...parts,
  };
};
