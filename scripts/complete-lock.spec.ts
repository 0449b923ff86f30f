import { completeLock } from './complete-lock.ts';

const lock = (packages: object): string => `${JSON.stringify({ lockfileVersion: 3, packages }, null, 2)}\n`;

describe('completeLock', () => {
  it('adds the optional packages of other platforms that npm left out, so that they are skipped there', () => {
    const text = lock({
      'node_modules/tool': {
        version: '1.0.0',
        dev: true,
        optionalDependencies: { '@tool/linux-x64': '1.0.0', '@tool/linux-arm64-musl': '1.0.0' },
      },
      'node_modules/@tool/linux-x64': { version: '1.0.0', optional: true },
    });
    expect(JSON.parse(completeLock(text)).packages['node_modules/@tool/linux-arm64-musl']).toEqual({
      version: '1.0.0',
      cpu: ['arm64'],
      dev: true,
      libc: ['musl'],
      optional: true,
      os: ['linux'],
    });
  });

  it('leaves a complete lock as it is, to the letter', () => {
    const text = lock({
      'node_modules/a': { version: '1.0.0', optionalDependencies: { inner: '^1.0.0', outer: '^1.0.0' } },
      'node_modules/a/node_modules/inner': { version: '1.0.0' },
      'node_modules/outer': { version: '1.0.0' },
    });
    expect(completeLock(text)).toBe(text);
  });
});
