import { checkLegacyEnd } from './legacy.ts';

const END = new Date('2027-01-01T00:00:00Z');
const BEFORE = new Date(END.getTime() - 1);

describe('the end of legacy core modules', () => {
  it('has not come where none is set, or before it', () => {
    expect(checkLegacyEnd('legacy', undefined, END)).toEqual({ ok: true });
    expect(checkLegacyEnd('legacy', END, BEFORE)).toEqual({ ok: true });
  });

  it('refuses new versions from its very moment on, and says since when', () => {
    const reason = 'is legacy, which no new version may be since 2027-01-01T00:00:00.000Z: build a component';
    expect(checkLegacyEnd('legacy', END, END)).toEqual({
      ok: false,
      code: 'manifest_invalid',
      errors: [{ field: '/runtime', reason }],
    });
  });

  it('is nothing to components', () => {
    expect(checkLegacyEnd('component', END, END)).toEqual({ ok: true });
  });
});
