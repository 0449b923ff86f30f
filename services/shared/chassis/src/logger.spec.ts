import { KnownSecrets } from './known-secrets.ts';
import { createLogger } from './logger.ts';

function capture() {
  const lines: string[] = [];
  const knownSecrets = new KnownSecrets();
  const logger = createLogger({
    service: 'gateway',
    instance: 'a',
    level: 'debug',
    knownSecrets,
    destination: { write: (line) => void lines.push(line) },
  });
  return { lines, knownSecrets, logger };
}

describe('the logger', () => {
  it('redacts by field name at any of the first three levels', () => {
    const { lines, logger } = capture();
    logger.info({ token: 'aaaa', request: { authorization: 'bbbb', inner: { password: 'cccc' } } }, 'hello');
    expect(lines[0]).not.toMatch(/aaaa|bbbb|cccc/);
    expect(lines[0]).toContain('hello');
  });

  it('redacts a known value in whatever field, message or stack it strays into', () => {
    const { lines, knownSecrets, logger } = capture();
    knownSecrets.add('swordfish-123');
    logger.error({ harmless: 'x swordfish-123 y', err: new Error('failed with swordfish-123') }, 'saw swordfish-123');
    expect(lines[0]).not.toContain('swordfish-123');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'error', service: 'gateway' });
  });

  it('prints of a foreign error only name, message, code, stack and causes', () => {
    const { lines, logger } = capture();
    const error = Object.assign(new Error('no'), {
      code: 'ECONNREFUSED',
      config: { headers: { 'X-Vault-Token': 'hvs.zzzz' } },
    });
    logger.error({ err: new Error('outer', { cause: error }) }, 'failed');
    expect(lines[0]).not.toContain('hvs.zzzz');
    expect(JSON.parse(lines[0] ?? '').err.cause).toMatchObject({ message: 'no', code: 'ECONNREFUSED' });
  });
});
