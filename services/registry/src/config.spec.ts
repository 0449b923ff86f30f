import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '@alga/chassis';
import { settings } from './config.ts';

const dir = mkdtempSync(join(tmpdir(), 'alga-registry-config-'));
afterAll(() => rmSync(dir, { recursive: true }));

const PART = 'A'.repeat(43);
const key = { kty: 'OKP', crv: 'Ed25519', x: PART, d: PART, kid: 'k1', alg: 'Ed25519', use: 'sig' };

function read(keyFile: unknown, databaseUrl = 'postgres://u:p@localhost/registry', more: Record<string, string> = {}) {
  const path = join(dir, 'key.jwk');
  writeFileSync(path, JSON.stringify(keyFile));
  return () => readConfig(settings, { DATABASE_URL: databaseUrl, ARTIFACT_SIGNING_KEY_FILE: path, ...more });
}

describe('settings', () => {
  it('take a private Ed25519 key with a kid', () => {
    expect(read(key)().signingKey).toMatchObject({ kid: 'k1', d: PART });
  });

  it.each([
    ['of another curve', { ...key, crv: 'X25519' }],
    ['without its private half', { ...key, d: undefined }],
    ['without a kid', { ...key, kid: undefined }],
    ['that is none', null],
  ])('refuse a key %s, naming the setting and not the key', (_, bad) => {
    expect(read(bad)).toThrow(/^ARTIFACT_SIGNING_KEY_FILE (?!.*AAAA)/);
  });

  it('refuse a database that is not Postgres', () => {
    expect(read(key, 'mysql://localhost/registry')).toThrow(/^DATABASE_URL /);
  });

  it('may set an end to legacy uploads, as a time in UTC', () => {
    const end = (raw: string) => read(key, undefined, { LEGACY_UPLOADS_UNTIL: raw });
    expect(read(key)().legacyUploadsUntil).toBeUndefined();
    expect(end('2027-01-01T00:00:00Z')().legacyUploadsUntil).toEqual(new Date(Date.UTC(2027, 0, 1)));
    for (const raw of ['2027-01-01', '2027-13-01T00:00:00Z', '2027-01-01T00:00:00', 'never', '1798761600000']) {
      expect(end(raw)).toThrow(/^LEGACY_UPLOADS_UNTIL /);
    }
  });
});
