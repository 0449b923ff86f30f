import { CAPABILITIES } from '@alga/contracts';
import fc from 'fast-check';
import { checkGrants, effectiveGrants } from './grants.ts';

const ORIGINS: string[] = ['https://a.example', 'https://b.example', 'http://a.example', 'https://a.example:8443'];
const capabilities = fc.uniqueArray(fc.constantFrom(...CAPABILITIES));
const egress = fc.uniqueArray(fc.constantFrom(...ORIGINS));
const side = fc.record({ capabilities, egress });

describe('effectiveGrants', () => {
  it('is within the manifest and within the grants, leaves nothing out of both, and is sorted (I6)', () => {
    fc.assert(
      fc.property(side, side, (manifest, grants) => {
        const effective = effectiveGrants(manifest, grants);
        for (const part of ['capabilities', 'egress'] as const) {
          const both = manifest[part].filter((item) => grants[part].includes(item));
          expect(effective[part]).toEqual(both.toSorted());
        }
      }),
    );
  });
});

describe('checkGrants', () => {
  it('accepts exactly what is within the manifest, in one normal form', () => {
    fc.assert(
      fc.property(side, side, (manifest, grants) => {
        const within =
          grants.capabilities.every((item) => manifest.capabilities.includes(item)) &&
          grants.egress.every((item) => manifest.egress.includes(item));
        const checked = checkGrants(manifest, grants);
        expect(checked.kind).toBe(within ? 'valid' : 'refused');
        if (checked.kind === 'valid') {
          expect(checked.grants).toEqual({
            capabilities: grants.capabilities.toSorted(),
            egress: grants.egress.toSorted(),
          });
        }
      }),
    );
  });

  it('tells a capability that does not exist from one that is not declared', () => {
    const manifest = { capabilities: ['secrets.get'], egress: [] };
    const refusal = (capability: string) =>
      checkGrants(manifest, { capabilities: [capability], egress: [] }, '/grants');
    expect(refusal('no.such')).toMatchObject({
      code: 'capability_unknown',
      errors: [{ field: '/grants/capabilities/0' }],
    });
    expect(refusal('http.fetch')).toMatchObject({
      code: 'capability_undeclared',
      message: 'The manifest does not declare: http.fetch.',
    });
  });
});
