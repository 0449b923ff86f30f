import { judgeTarget } from './target.ts';

const allow = ['https://api.example', 'http://api.example:8080', 'http://127.0.0.1'];

describe('judgeTarget', () => {
  it('takes a URL whose whole origin is on the list', () => {
    expect(judgeTarget('https://api.example/a?b#c', allow)).toMatchObject({ ok: true });
    expect(judgeTarget('HTTPS://API.EXAMPLE:443/', allow)).toMatchObject({ ok: true });
    expect(judgeTarget('http://api.example:8080/', allow)).toMatchObject({ ok: true });
  });

  it('sends no fragment', () => {
    const target = judgeTarget('https://api.example/a#secret', allow);
    expect(target.ok && target.url.href).toBe('https://api.example/a');
  });

  it.each([
    'http://api.example/',
    'https://api.example:8443/',
    'https://api.example./',
    'https://api.example.evil.example/',
    'https://evil-api.example/',
    'https://sub.api.example/',
    'https://evil.example/https://api.example/',
    'http://[::ffff:127.0.0.1]/',
    'http://localhost/',
  ])('does not allow %s', (url) => {
    expect(judgeTarget(url, allow)).toEqual({ ok: false, error: 'not-allowed' });
  });

  it.each([
    'https://api.example@evil.example/',
    'https://user@api.example/',
    'https://:pass@api.example/',
    'https://evil.example\\@api.example/',
    'https:\\\\api.example/',
    'https://api.exa\tmple/',
    'https://api.example/\n',
    ' https://api.example/',
    'https://api.example/a b',
    'https://api.example:0/',
    'https://api.example:99999/',
    'ftp://api.example/',
    'file:///etc/passwd',
    'data:text/plain,x',
    'javascript:1',
    '//api.example/',
    '/relative',
    '',
    `https://api.example/${'x'.repeat(9_000)}`,
    undefined,
    {},
    ['https://api.example/'],
  ])('calls %p invalid', (url) => {
    expect(judgeTarget(url, allow)).toEqual({ ok: false, error: 'invalid-url' });
  });

  it.each(['http://2130706433/', 'http://0x7f.1/', 'http://0177.0.0.1/', 'http://127.1/', 'http://127.0.0.1/'])(
    'judges %s as the address that it is',
    (url) => {
      expect(judgeTarget(url, allow)).toMatchObject({ ok: true });
      expect(judgeTarget(url, ['https://api.example'])).toEqual({ ok: false, error: 'not-allowed' });
    },
  );

  it('an empty list allows nothing', () => {
    expect(judgeTarget('https://api.example/', [])).toEqual({ ok: false, error: 'not-allowed' });
  });
});
