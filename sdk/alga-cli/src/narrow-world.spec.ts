import { readFileSync } from 'node:fs';
import { CAPABILITIES } from '@alga/contracts';
import { allowedInterfaces, narrowWorld } from './narrow-world.ts';

const WIT = readFileSync(new URL('../../../wit/extension-runner.wit', import.meta.url), 'utf8');
const importsOf = (wit: string) => [...wit.matchAll(/^ {2}import ([a-z]+);$/gm)].map(([, name]) => name);

describe('narrowWorld', () => {
  it('leaves an interface in where the manifest names any capability of it, and every other one out (I6)', () => {
    const allowed = allowedInterfaces(['secrets.list', 'storage.read']);
    expect(importsOf(narrowWorld(WIT, allowed))).toEqual(['secrets', 'storage']);
  });

  it('leaves nothing in without capabilities, and changes nothing with all of them', () => {
    expect(importsOf(narrowWorld(WIT, allowedInterfaces([])))).toEqual([]);
    expect(narrowWorld(WIT, allowedInterfaces(CAPABILITIES))).toBe(WIT);
  });
});
