import { type Refusal, refuse } from './refusal.ts';
import type { Build } from './version.ts';

/**
 * Whether a new version may still be a core module of the old raw ABI. What is published already stays.
 * @param until undefined: for as long as nobody sets an end.
 */
export function checkLegacyEnd(
  runtime: Build['runtime'],
  until: Date | undefined,
  now: Date,
): { readonly ok: true } | Refusal {
  if (runtime !== 'legacy' || until === undefined || now < until) return { ok: true };
  const end = until.toISOString();
  return refuse(
    'manifest_invalid',
    '/runtime',
    `is legacy, which no new version may be since ${end}: build a component`,
  );
}
