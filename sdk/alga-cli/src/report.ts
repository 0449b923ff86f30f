import { stripVTControlCharacters } from 'node:util';
import type { Problem } from './outcome.ts';

/** What the process ends with. */
export const EXIT_CODES = { ok: 0, refused: 1, usage: 2, unreachable: 3 } as const;

/** A problem for a person: where, what, which fields, how to go on. */
export function renderProblem(problem: Problem): string {
  const place = [problem.file, problem.line, problem.column].filter((part) => part !== undefined).join(':');
  const lines = [
    `error ${problem.code}: ${problem.message}`,
    ...(place === '' ? [] : [`  at ${place}`]),
    ...(problem.errors ?? []).map(({ field, reason }) => `  ${field} ${reason}`),
    `  fix: ${problem.fix}`,
    ...(problem.requestId === undefined ? [] : [`  request: ${problem.requestId}`]),
  ];
  return lines.map(plain).join('\n');
}

// Some of the text comes from a server: it may not move the cursor or forge lines.
function plain(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this removes
  return stripVTControlCharacters(line).replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/g, ' ');
}

/** 12345678 -> `11.8 MiB`. */
export function renderSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

/** 2345 -> `2.3 s`, 345 -> `345 ms`. */
export function renderTime(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}
