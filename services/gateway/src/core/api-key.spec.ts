import { createHash } from 'node:crypto';
import { readApiKey } from './api-key.ts';

const KEY = 'alga_t_0123456789abcdef0123';
const keySha256 = createHash('sha256').update(KEY).digest('hex');

describe('the API key of a request', () => {
  it.each([
    [['Authorization', `Bearer ${KEY}`]],
    [['authorization', `bearer  ${KEY}`]],
    [['accept', '*/*', 'X-API-Key', KEY]],
  ])('is found in %j, and only its hash goes on', (headers) => {
    expect(readApiKey(headers)).toEqual({ ok: true, keySha256 });
  });

  it.each([
    [[], 'No API key was given.'],
    [['authorization', `Bearer ${KEY}`, 'x-api-key', KEY], 'More than one API key was given.'],
    [['authorization', `Bearer ${KEY}`, 'Authorization', 'Bearer alga_other'], 'More than one API key was given.'],
    [['authorization', `Basic ${KEY}`], 'The API key is malformed.'],
    [['authorization', 'Bearer '], 'The API key is malformed.'],
    [['x-api-key', `${KEY} `], 'The API key is malformed.'],
    [['x-api-key', `alga_${'x'.repeat(300)}`], 'The API key is malformed.'],
  ])('is refused in %j', (headers, reason) => {
    expect(readApiKey(headers)).toEqual({ ok: false, reason });
  });
});
