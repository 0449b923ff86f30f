import { AlgaError } from '@alga/contracts';
import { planConfig, planGrants, planInstall, planStatus } from '../core/change.ts';
import { installView } from '../core/install-view.ts';
import type { RandomBytes } from '../core/random.ts';
import { toError } from '../core/refusal.ts';
import type { AccessStore } from '../ports/access-store.ts';
import type { InstallStore } from '../ports/install-store.ts';
import type { ReleaseCatalogue } from '../ports/peers.ts';
import type { AdminRouter } from './admin-router.ts';
import type { ChangeInstall } from './change-install.ts';

interface InstallRouteDependencies {
  readonly access: AccessStore;
  readonly installs: InstallStore;
  readonly catalogue: ReleaseCatalogue;
  readonly change: ChangeInstall;
  readonly random: RandomBytes;
}

const INSTALL = ['tenantId', 'extensionId'] as const;

/** Installs: what a tenant runs, with which configuration and grants. */
export function installRoutes(router: AdminRouter, dependencies: InstallRouteDependencies): void {
  const { access, installs, catalogue, change, random } = dependencies;

  router.on('GET', '/installs', ['tenantId'], async ({ path }) => {
    if (!(await access.hasTenant(path.tenantId))) throw new AlgaError('not_found', 'There is no such tenant.');
    return { installs: (await installs.list(path.tenantId)).map(installView) };
  });

  router.on('GET', '/installs/:extensionId', INSTALL, async ({ path }) => {
    const install = await installs.details(path.tenantId, path.extensionId);
    if (install === undefined) throw new AlgaError('extension_not_found');
    return installView(install);
  });

  router.onBody('PUT', '/installs/:extensionId', INSTALL, 'admin-install-put', async ({ path, body, reply }) => {
    const found = await catalogue.resolve(path.extensionId, body.version);
    if (found.kind === 'refused') throw toError(found);
    const wanted = { config: body.config as Readonly<Record<string, unknown>>, grants: body.grants };
    const outcome = await change(path.tenantId, path.extensionId, planInstall(found.release, wanted, random));
    const created = outcome.kind === 'changed' && outcome.change === 'installed';
    return reply.code(created ? 201 : 200).send(installView(outcome.install));
  });

  router.onBody('PUT', '/installs/:extensionId/config', INSTALL, 'admin-config-put', async ({ path, body }) => {
    const values = body.config as Readonly<Record<string, unknown>>;
    const { install } = await change(path.tenantId, path.extensionId, planConfig(values));
    return installView(install);
  });

  router.onBody('PUT', '/installs/:extensionId/grants', INSTALL, 'admin-grants', async ({ path, body }) => {
    const { install } = await change(path.tenantId, path.extensionId, planGrants(body));
    return installView(install);
  });

  router.on('POST', '/installs/:extensionId/suspend', INSTALL, async ({ path }) => {
    const { install } = await change(path.tenantId, path.extensionId, planStatus('suspended'));
    return installView(install);
  });

  router.on('POST', '/installs/:extensionId/resume', INSTALL, async ({ path }) => {
    const { install } = await change(path.tenantId, path.extensionId, planStatus('active'));
    return installView(install);
  });

  router.on('DELETE', '/installs/:extensionId', INSTALL, async ({ path }) => {
    const { install } = await change(path.tenantId, path.extensionId, planStatus('uninstalled'));
    return installView(install);
  });
}
