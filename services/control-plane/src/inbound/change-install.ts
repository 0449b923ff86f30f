import type { Planner } from '../core/change.ts';
import { toError } from '../core/refusal.ts';
import type { ChangeOutcome, InstallStore } from '../ports/install-store.ts';
import type { InstallEvents } from '../ports/peers.ts';

export type ChangeInstall = (
  tenantId: string,
  extensionId: string,
  plan: Planner,
) => Promise<Exclude<ChangeOutcome, { kind: 'refused' }>>;

/** Commits a change, then tells who caches the install. @throws AlgaError when the plan refuses. */
export const changeInstall =
  (installs: InstallStore, events: InstallEvents): ChangeInstall =>
  async (tenantId, extensionId, plan) => {
    const outcome = await installs.change(tenantId, extensionId, plan);
    if (outcome.kind === 'refused') throw toError(outcome);
    if (outcome.kind === 'changed') {
      const { install, change } = outcome;
      const { installId, secretsVersion, configVersion, status, updatedAt } = install;
      await events.announce({
        tenantId,
        installId,
        secretsVersion,
        configVersion,
        status,
        change,
        at: updatedAt.getTime(),
      });
    }
    return outcome;
  };
