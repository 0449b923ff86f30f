import { KnownSecrets } from '@alga/chassis';
import { Secret } from '@alga/contracts';
import { jest } from '@jest/globals';
import { RecentSecrets } from './recent-secrets.ts';

describe('values in recent use', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('are kept out of log lines for a minute after their last use, and are forgotten then', () => {
    const known = new KnownSecrets();
    const recent = new RecentSecrets(known);
    const line = () => known.redact('a line with the-plain-value in it');
    recent.remember(new Secret('the-plain-value'));
    jest.advanceTimersByTime(50_000);
    recent.remember(new Secret('the-plain-value'));
    jest.advanceTimersByTime(50_000);
    expect(line()).not.toContain('the-plain-value');
    jest.advanceTimersByTime(30_000);
    expect(line()).toContain('the-plain-value');
    recent.stop();
  });
});
