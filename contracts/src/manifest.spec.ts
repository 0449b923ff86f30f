import fc from 'fast-check';
import { CAPABILITIES } from './generated/capabilities.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { parseManifest } from './manifest.ts';

const minimal = {
  manifestVersion: 1,
  extensionId: 'ticket-sync',
  version: '1.0.0',
  title: 'Ticket sync',
  runtime: 'component',
  component: 'component.wasm',
  capabilities: [],
};

describe('a manifest', () => {
  it('has its optional parts filled in', () => {
    expect(parseManifest(minimal)).toEqual({
      ok: true,
      manifest: { ...minimal, engine: 'starlingmonkey', egress: [], secrets: [], config: [], limits: DEFAULT_LIMITS },
    });
  });

  it('may ask for every capability that there is', () => {
    expect(parseManifest({ ...minimal, capabilities: [...CAPABILITIES] })).toMatchObject({ ok: true });
  });

  it('that asks for an unknown capability is refused, naming which and what there is', () => {
    const parsed = parseManifest({ ...minimal, capabilities: ['secrets.get', 'secrets.write'] });
    expect(parsed).toMatchObject({ ok: false, code: 'capability_unknown', errors: [{ field: '/capabilities/1' }] });
    expect(!parsed.ok && parsed.errors[0]?.reason).toContain('secrets.list');
  });

  it.each([
    ['secrets', [{ key: 'token' }, { key: 'token' }]],
    [
      'config',
      [
        { key: 'region', type: 'string' },
        { key: 'region', type: 'number' },
      ],
    ],
  ])('that declares one of its %s twice is refused, naming the second', (part, items) => {
    expect(parseManifest({ ...minimal, [part]: items })).toMatchObject({
      ok: false,
      code: 'manifest_invalid',
      errors: [{ field: `/${part}/1/key` }],
    });
  });

  it('of any other shape is refused with a field, and never throws', () => {
    fc.assert(
      fc.property(fc.anything(), fc.string(), (value, key) => {
        for (const json of [value, { ...minimal, [key]: value }]) {
          const parsed = parseManifest(json);
          if (!parsed.ok) expect(parsed.errors[0]?.field).toMatch(/^\//);
        }
      }),
    );
  });
});
