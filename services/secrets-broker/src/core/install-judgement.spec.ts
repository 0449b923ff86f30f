import type { SecretsMaterialReply } from '@alga/contracts';
import { envelopeClaims } from '../testing/tokens.ts';
import { judgeInstall } from './install-judgement.ts';

const claims = envelopeClaims(1_800_000_000_000, { sv: 3 });
const now: SecretsMaterialReply = {
  tenantId: claims.tenantId,
  installId: claims.installId,
  extensionId: claims.extensionId,
  status: 'active',
  contentHash: claims.contentHash,
  capabilities: ['secrets.get'],
  secretsVersion: 3,
  secrets: [],
};

describe('an envelope against the present install', () => {
  it('holds while nothing it says was taken back, whatever the epoch has become', () => {
    expect(judgeInstall(claims, now)).toBe('ok');
    expect(judgeInstall(claims, { ...now, secretsVersion: 4 })).toBe('ok');
  });

  it.each([
    ['secrets_unavailable', 'an answer about another tenant', { tenantId: 'other' }],
    ['secrets_unavailable', 'an answer about another install', { installId: 'other' }],
    ['secrets_unavailable', 'an answer about another extension', { extensionId: 'other' }],
    ['secrets_unavailable', 'an epoch below its floor', { secretsVersion: 2 }],
    ['extension_not_found', 'an uninstalled extension', { status: 'uninstalled' }],
    ['install_suspended', 'a suspended install', { status: 'suspended' }],
    ['envelope_invalid', 'other content', { contentHash: `sha256:${'0'.repeat(64)}` }],
    ['forbidden', 'a revoked capability', { capabilities: ['config.read'] }],
  ] as const)('is %s for %s', (code, _, change) => {
    const present = {
      ...now,
      ...change,
      capabilities: [...('capabilities' in change ? change.capabilities : now.capabilities)],
    };
    expect(judgeInstall(claims, present)).toMatchObject({ code });
  });

  it('is forbidden when the envelope itself does not carry the capability, even if it was granted since', () => {
    expect(judgeInstall({ ...claims, capabilities: [] }, now)).toMatchObject({ code: 'forbidden' });
  });
});
