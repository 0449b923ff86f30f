import { existsSync, readFileSync } from 'node:fs';
import { TRANSPILE_FAILURES, TRANSPILE_STAGES } from './transpile-protocol.ts';
import { LIMITS } from './wasm/limits.ts';

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
/** From a heading to the next. */
const part = (heading: string) => README.split(/^## /m).find((text) => text.startsWith(heading)) ?? '';
/** Names in backquotes, in a column of the tables. */
const column = (text: string, index: number) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .flatMap((line) => [...(line.split('|')[index] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name));

describe('the README', () => {
  it('lists every limit, and none that is gone', () => {
    expect(column(part('Limits'), 2).sort()).toEqual(Object.keys(LIMITS).sort());
  });

  it('lists every code of a refusal, in the order in which they are declared', () => {
    expect(column(part('Refusals'), 1)).toEqual(TRANSPILE_FAILURES);
  });

  it('lists every stage that is reported, in order', () => {
    expect(column(part('Stages'), 1)).toEqual(TRANSPILE_STAGES);
  });

  it('points to files that are there', () => {
    const links = [...README.matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link ?? '');
    expect(links.length).toBeGreaterThan(10);
    expect(links.filter((link) => !existsSync(new URL(`../${link}`, import.meta.url)))).toEqual([]);
  });
});
