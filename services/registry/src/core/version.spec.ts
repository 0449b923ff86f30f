import { isSameUpload, mayPublish } from './version.ts';

const tenant = (tenantId: string) => ({ keyId: 'k', tenantId, operator: false });

describe('who may publish under an id that is taken', () => {
  it.each([
    ['its owner', tenant('acme'), 'acme', true],
    ['another tenant', tenant('globex'), 'acme', false],
    ['a tenant, where it is the platform that owns it', tenant('acme'), undefined, false],
    ['an operator', { keyId: 'k', tenantId: undefined, operator: true }, 'acme', true],
    [
      'an operator, where it is the platform that owns it',
      { keyId: 'k', tenantId: undefined, operator: true },
      undefined,
      true,
    ],
    ['a key of no tenant', { keyId: 'k', tenantId: undefined, operator: false }, undefined, false],
  ])('%s', (_, publisher, owner, allowed) => {
    expect(mayPublish(publisher, owner)).toBe(allowed);
  });
});

it('an upload is the published one only if component, manifest and source map are all the same', () => {
  const upload = { contentHash: 'sha256:a', manifestSha256: 'm', sourceMapSha256: 's' };
  expect(isSameUpload(upload, { ...upload })).toBe(true);
  expect(isSameUpload(upload, { ...upload, contentHash: 'sha256:b' })).toBe(false);
  expect(isSameUpload(upload, { ...upload, manifestSha256: 'n' })).toBe(false);
  expect(isSameUpload(upload, { ...upload, sourceMapSha256: 't' })).toBe(false);
  expect(isSameUpload(upload, { ...upload, sourceMapSha256: undefined })).toBe(false);
});
