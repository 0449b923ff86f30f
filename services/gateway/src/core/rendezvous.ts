import { hash } from 'node:crypto';

interface Member {
  readonly id: string;
  /** Calls in flight. */
  readonly load: number;
  /** Calls it takes at once. */
  readonly capacity: number;
}

/** Above its fair share by this factor, a member is passed over. */
const SHARE_FACTOR = 1.25;
/** Below this load nobody is passed over: keeping a tenant's calls where its sandbox is warm is worth more than evenness. */
const FREE_LOAD = 4;

/**
 * Rendezvous hashing with bounded load: each key has its own order of preference, which the coming and going of other members
 * does not disturb; the first member in it below the bound takes the call. Undefined when all are full, or there are none.
 */
export function place<M extends Member>(key: string, members: readonly M[]): M | undefined {
  const open = members.filter(({ load, capacity }) => load < capacity);
  const total = open.reduce((sum, { load }) => sum + load, 0);
  const bound = Math.max(FREE_LOAD, Math.ceil((SHARE_FACTOR * (total + 1)) / open.length));
  let best: { member: M; score: string } | undefined;
  for (const member of open) {
    if (member.load >= bound) continue;
    const score = hash('sha256', `${key}\n${member.id}`, 'hex');
    if (best === undefined || score > best.score) best = { member, score };
  }
  return best?.member;
}
