import type { ExecuteRequestHead } from '@alga/contracts';
import { CONFIG, claims } from '../test-support/tokens.ts';
import { differingField } from './authority.ts';

const head: ExecuteRequestHead = {
  requestId: 'request-1',
  tenantId: 'acme',
  extensionId: 'fixture',
  installId: 'inst-1',
  config: CONFIG,
  envelope: 'a.b.c',
  http: { method: 'GET', url: '/', headers: [], hasBody: false },
};

describe('the head of a message', () => {
  it('agrees with its envelope', () => expect(differingField(head, claims())).toBeUndefined());

  it.each<[string, Partial<ExecuteRequestHead>]>([
    ['/tenantId', { tenantId: 'globex' }],
    ['/installId', { installId: 'inst-2' }],
    ['/extensionId', { extensionId: 'other' }],
    ['/config', { config: `${CONFIG} ` }],
  ])('is refused at %s when it says something else', (field, overrides) => {
    expect(differingField({ ...head, ...overrides }, claims())).toBe(field);
  });
});
