import type { EnvelopeClaims, SecretsMaterialReply } from '@alga/contracts';

/** The capability under which a guest reads secrets, and with it its runner redeems them. */
const NEEDED = 'secrets.get';

type InstallJudgement =
  | 'ok'
  | {
      readonly code:
        | 'envelope_invalid'
        | 'extension_not_found'
        | 'install_suspended'
        | 'forbidden'
        | 'secrets_unavailable';
      readonly reason: string;
    };

/** Whether an envelope, true when it was minted, still holds against the install's present state (I6). */
export function judgeInstall(claims: EnvelopeClaims, now: SecretsMaterialReply): InstallJudgement {
  if (
    now.tenantId !== claims.tenantId ||
    now.installId !== claims.installId ||
    now.extensionId !== claims.extensionId
  ) {
    return { code: 'secrets_unavailable', reason: 'The answer about the install is about another one.' };
  }
  if (now.status === 'uninstalled') return { code: 'extension_not_found', reason: 'The extension was uninstalled.' };
  if (now.status === 'suspended') return { code: 'install_suspended', reason: 'The install is suspended.' };
  if (now.contentHash !== claims.contentHash) {
    return { code: 'envelope_invalid', reason: 'The envelope is for another version of the extension.' };
  }
  if (!claims.capabilities.includes(NEEDED) || !now.capabilities.includes(NEEDED)) {
    return { code: 'forbidden', reason: `The install does not have the capability ${NEEDED}.` };
  }
  // The floor was committed before the envelope was minted: a lower epoch is a database put back in time (I1).
  if (now.secretsVersion < claims.sv) {
    return { code: 'secrets_unavailable', reason: 'The present secrets are older than the envelope demands.' };
  }
  return 'ok';
}
