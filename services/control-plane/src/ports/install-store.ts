import type { InstallChanged, SecretsChangedReply } from '@alga/contracts';
import type { Planner } from '../core/change.ts';
import type { Install, InstallDetails, StoredSecret } from '../core/install.ts';
import type { Refusal } from '../core/refusal.ts';

export type ChangeOutcome =
  | Refusal
  | { readonly kind: 'unchanged'; readonly install: InstallDetails }
  | { readonly kind: 'changed'; readonly change: InstallChanged['change']; readonly install: InstallDetails };

/** Installs, their configuration, grants and secrets. Every method throws AlgaError `unavailable` when there is no database. */
export interface InstallStore {
  /** The tenant's install that is not uninstalled, in one read. */
  find(tenantId: string, extensionId: string): Promise<Install | undefined>;
  /** As `find`, with the state of its secrets. */
  details(tenantId: string, extensionId: string): Promise<InstallDetails | undefined>;
  /** All of the tenant's that are not uninstalled, by extension. */
  list(tenantId: string): Promise<readonly InstallDetails[]>;
  /** One install, whatever its status, with its stored secrets, all of one moment. */
  material(
    tenantId: string,
    installId: string,
  ): Promise<{ readonly install: Install; readonly secrets: ReadonlyMap<string, StoredSecret> } | undefined>;
  /**
   * Shows the present state to `plan` under the install's lock and does what it decides, in one transaction with the new
   * epoch (I1). Refused with `not_found` when the tenant does not exist.
   */
  change(tenantId: string, extensionId: string, plan: Planner): Promise<ChangeOutcome>;
  /** Raises the epoch of every install with a secret behind one of the references, in one transaction. */
  raiseEpochs(references: readonly string[]): Promise<SecretsChangedReply['installs']>;
}
