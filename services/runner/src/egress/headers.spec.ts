import { requestHeaders, withoutBodyHeaders, withoutCredentials } from './headers.ts';

const one = (name: string, value = 'x') => [{ name, value }];

describe('headers of a guest', () => {
  it.each([
    'Host',
    'connection',
    'Transfer-Encoding',
    'content-length',
    'Proxy-Authorization',
    'TE',
    'Upgrade',
    'Trailer',
    'Expect',
    'X-Forwarded-For',
    'Forwarded',
    'Accept-Encoding',
    'Sec-Fetch-Site',
  ])('drops %s', (name) => {
    expect(requestHeaders(one(name))).toEqual([]);
  });

  it('keeps the others as they are', () => {
    expect(requestHeaders(one('X-Api-Key'))).toEqual(one('X-Api-Key'));
  });

  it.each([
    [one('x-a', 'b\r\nhost: evil')],
    [one('x-a\r\nhost', 'evil')],
    [one('x-a', 'b\u0000')],
    [one('x a')],
    [one('x-a', 'v'.repeat(20_000))],
    [Array.from({ length: 65 }, () => ({ name: 'a', value: 'b' }))],
    [{ 'x-a': 'b' }],
    [[null]],
    [undefined],
  ])('refuses %#', (raw) => {
    expect(requestHeaders(raw)).toBeUndefined();
  });

  it('leaves no credential when a redirect changes the origin, and no body header when the body goes', () => {
    const headers = ['Authorization', 'Cookie', 'X-Api-Key', 'Accept', 'Content-Type'].map((name) => ({
      name,
      value: 'x',
    }));
    expect(withoutCredentials(headers).map(({ name }) => name)).toEqual(['Accept', 'Content-Type']);
    expect(withoutBodyHeaders(headers).map(({ name }) => name)).toEqual([
      'Authorization',
      'Cookie',
      'X-Api-Key',
      'Accept',
    ]);
  });
});
