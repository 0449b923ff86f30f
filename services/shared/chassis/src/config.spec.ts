import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, integer, jsonFile, list, readConfig, type Settings, secretFile, text, url } from './config.ts';

const failureOf = <C>(settings: Settings<C>, env: NodeJS.ProcessEnv): string => {
  try {
    readConfig(settings, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('the settings were accepted');
};

describe('readConfig', () => {
  it('names every bad setting at once, with the shape it must have', () => {
    const settings: Settings<{ port: number; database: string }> = {
      port: integer('HTTP_PORT', { min: 0, max: 65_535 }),
      database: url('DATABASE_URL', ['postgres', 'postgresql']),
    };
    const message = failureOf(settings, { HTTP_PORT: '70000' });
    expect(message).toContain('HTTP_PORT is out of range: set it to a whole number from 0 to 65535.');
    expect(message).toContain('DATABASE_URL is not set: set it to a URL beginning with postgres:// or postgresql://.');
  });

  it('never quotes a refused value, which may be a secret', () => {
    const message = failureOf(
      { database: url('DATABASE_URL', ['postgres']) },
      { DATABASE_URL: 'http://user:hunter22@db' },
    );
    expect(message).not.toContain('hunter22');
  });

  it.each(['NaN', '-1', '1e3', '0x10', ' 5', '5.0', '99999999999999999999'])('refuses %p as a number', (raw) => {
    expect(failureOf({ n: integer('N', { min: 0, max: 1000 }) }, { N: raw })).toContain('N is out of range');
  });

  it('uses the fallback for an absent or empty setting only', () => {
    const settings = { level: text('LEVEL', { fallback: 'info', pattern: /^[a-z]+$/ }) };
    expect(readConfig(settings, {})).toEqual({ level: 'info' });
    expect(readConfig(settings, { LEVEL: '' })).toEqual({ level: 'info' });
    expect(failureOf(settings, { LEVEL: 'LOUD' })).toContain('LEVEL does not match');
  });

  it('splits lists and checks each item', () => {
    const settings = { names: list('NAMES', /^[a-z]+$/, 'lower-case names') };
    expect(readConfig(settings, { NAMES: 'a, b' })).toEqual({ names: ['a', 'b'] });
    expect(readConfig(settings, {})).toEqual({ names: [] });
    expect(failureOf(settings, { NAMES: 'a,B' })).toContain('lower-case names');
  });
});

describe('settings that name files', () => {
  const dir = mkdtempSync(join(tmpdir(), 'alga-config-'));
  afterAll(() => rmSync(dir, { recursive: true }));
  const file = (name: string, content: string): string => {
    const path = join(dir, name);
    writeFileSync(path, content);
    return path;
  };

  it('strips a byte order mark and one trailing newline, and hides the value', () => {
    const { key } = readConfig({ key: secretFile('KEY_FILE') }, { KEY_FILE: file('key', '\uFEFFs3cr3t\r\n') });
    expect(key.reveal()).toBe('s3cr3t');
    expect(`${key} ${JSON.stringify({ key })}`).toBe('[secret] {"key":"[secret]"}');
  });

  it('refuses empty and unreadable files by the setting name', () => {
    expect(failureOf({ key: secretFile('KEY_FILE') }, { KEY_FILE: file('empty', '\n') })).toContain(
      'names an empty file',
    );
    expect(failureOf({ key: secretFile('KEY_FILE') }, { KEY_FILE: join(dir, 'none') })).toContain('(ENOENT)');
  });

  it('refuses JSON that does not parse without quoting it', () => {
    const settings = { keys: jsonFile('KEYS_FILE', 'a JWKS file', (json) => json) };
    expect(failureOf(settings, { KEYS_FILE: file('bad.json', 'hunter22{') })).toBe(
      'KEYS_FILE names a file that is not JSON: set it to the path of a JWKS file.',
    );
  });
});
