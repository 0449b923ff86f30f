import { createHmac } from 'node:crypto';
import { Secret } from '@alga/contracts';
import { checkSignature, parseWebhookSources } from './webhook-signature.ts';

const NOW = 1_800_000_000_000;
const T = NOW / 1000;
const [OLD, NEW] = ['o'.repeat(32), 'n'.repeat(32)];
const SECRETS = [new Secret(OLD), new Secret(NEW)];
const BODY = Buffer.from('{"id": "1",  "type":"secret.rotated"}');

const sign = (body: Uint8Array, t: number, secret = NEW) =>
  `t=${t},v1=${createHmac('sha256', secret).update(`${t}.`).update(body).digest('hex')}`;
const unsigned = { ok: false, code: 'webhook_unsigned' };

describe('a webhook signature', () => {
  it('over the bytes that arrived is accepted, under each of two secrets that are valid at once', () => {
    for (const secret of [OLD, NEW])
      expect(checkSignature(sign(BODY, T, secret), BODY, SECRETS, NOW)).toEqual({ ok: true });
  });

  it('over the same JSON, serialised again, is refused', () => {
    const again = Buffer.from(JSON.stringify(JSON.parse(BODY.toString())));
    expect(checkSignature(sign(again, T), BODY, SECRETS, NOW)).toEqual(unsigned);
  });

  it('is accepted at the edges of the window and refused as stale a second beyond', () => {
    for (const off of [-300, 300])
      expect(checkSignature(sign(BODY, T + off), BODY, SECRETS, NOW)).toEqual({ ok: true });
    for (const off of [-301, 301]) {
      expect(checkSignature(sign(BODY, T + off), BODY, SECRETS, NOW)).toEqual({ ok: false, code: 'webhook_stale' });
    }
  });

  it('is refused as unsigned, not as stale, when it is both', () => {
    expect(checkSignature(sign(BODY, T + 301, 'x'.repeat(32)), BODY, SECRETS, NOW)).toEqual(unsigned);
  });

  it.each([
    ['none', undefined],
    ['empty', ''],
    ['of another secret', sign(BODY, T, 'x'.repeat(32))],
    ['with its time changed', sign(BODY, T).replace(`t=${T}`, `t=${T + 1}`)],
    ['sent twice and joined', `${sign(BODY, T)}, ${sign(BODY, T)}`],
    ['with two v1', `${sign(BODY, T)},v1=${'0'.repeat(64)}`],
    ['in upper case', sign(BODY, T).replace(/v1=.*/, (hex) => hex.toUpperCase())],
    ['too short', `t=${T},v1=00`],
    ['without a time', `v1=${'0'.repeat(64)}`],
    ['with a time that is no number', `t=1e9,v1=${'0'.repeat(64)}`],
    ['with a trailing newline', `${sign(BODY, T)}\n`],
  ])('%s is refused', (_, header) => {
    expect(checkSignature(header, BODY, SECRETS, NOW)).toEqual(unsigned);
  });

  it('is refused when the source is unknown: it has no secrets', () => {
    expect(checkSignature(sign(BODY, T), BODY, [], NOW)).toEqual(unsigned);
  });
});

describe('the webhook secrets file', () => {
  it('gives each source its secrets', () => {
    const sources = parseWebhookSources({ sources: [{ id: 'local', secrets: [OLD, NEW] }] });
    expect(sources.get('local')?.map((secret) => secret.reveal())).toEqual([OLD, NEW]);
  });

  it.each([
    ['no list', {}],
    ['a short secret', { sources: [{ id: 'local', secrets: ['short'] }] }],
    ['no secret', { sources: [{ id: 'local', secrets: [] }] }],
    [
      'a repeated source',
      {
        sources: [
          { id: 'a', secrets: [OLD] },
          { id: 'a', secrets: [NEW] },
        ],
      },
    ],
    ['an unusable id', { sources: [{ id: '__proto__', secrets: [OLD] }] }],
  ])('with %s is refused', (_, json) => {
    expect(() => parseWebhookSources(json)).toThrow();
  });
});
