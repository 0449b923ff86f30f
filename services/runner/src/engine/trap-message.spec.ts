import { trapMessage } from './trap-message.ts';

describe('trapMessage', () => {
  it('passes texts of V8 and nothing else', () => {
    expect(trapMessage('unreachable')).toBe('unreachable');
    expect(trapMessage('unreachable s3cret')).toBe('the guest failed');
    expect(trapMessage('')).toBe('the guest failed');
  });
});
