import { Writable } from 'node:stream';
import { createLogger, KnownSecrets } from '@alga/chassis';
import type { GuestFailure } from '../core/guest.ts';
import { CONFIG, claims } from '../test-support/tokens.ts';
import { createObserver } from './otel-observer.ts';

describe('the log line of a failed execution', () => {
  it("names whose it is, its code and its kind, and holds none of the guest's own words", () => {
    const lines: string[] = [];
    const destination = new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk));
        done();
      },
    });
    const logger = createLogger({
      service: 'runner',
      instance: 'spec',
      level: 'info',
      knownSecrets: new KnownSecrets(),
      destination,
    });
    const failure: GuestFailure = {
      kind: 'limit_exceeded',
      limit: 'hostCalls',
      message: 'too many host calls',
      guest: { message: 'guest words', frames: ['guest words (index.ts:1:1)'] },
    };
    const call = {
      envelope: { token: 'a.b.c', tokenSha256: 'f'.repeat(64), claims: claims() },
      requestId: 'request-1',
      config: CONFIG,
      http: { method: 'GET', url: '/', headers: [], hasBody: false },
      body: new Uint8Array(),
    };
    createObserver(logger, () => 0).guestFailed(call, failure, 'guest_limit_exceeded');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      tenantId: 'acme',
      installId: 'inst-1',
      requestId: 'request-1',
      code: 'guest_limit_exceeded',
      failure: { kind: 'limit_exceeded', limit: 'hostCalls', message: 'too many host calls' },
    });
    expect(lines[0]).not.toContain('guest words');
  });
});
