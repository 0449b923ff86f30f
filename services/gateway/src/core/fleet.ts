import type { FleetHeartbeat } from '@alga/contracts';
import { place } from './rendezvous.ts';

/** A runner that says nothing for this long is lost; it speaks every 250 ms. */
const LOST_AFTER_MS = 1_000;

interface Runner {
  beat: FleetHeartbeat;
  heardAt: number;
  /** Calls of this gateway: newer than what the last heartbeat counted. */
  own: number;
}

/** The runners as their heartbeats tell. All times are readings of one monotonic clock, in ms. */
export class Fleet {
  readonly #runners = new Map<string, Runner>();

  /** A heartbeat that is not newer than the last one is a repetition and proves nothing. */
  hear(beat: FleetHeartbeat, now: number): void {
    const known = this.#runners.get(beat.runnerId);
    if (known === undefined) this.#runners.set(beat.runnerId, { beat, heardAt: now, own: 0 });
    else if (beat.sequence > known.beat.sequence) Object.assign(known, { beat, heardAt: now });
  }

  /** Forgets the runners that are lost, and names them. One that comes back begins anew, with any sequence number. */
  sweep(now: number): string[] {
    const lost = [...this.#runners].filter(([, runner]) => isLost(runner, now)).map(([id]) => id);
    for (const id of lost) this.#runners.delete(id);
    return lost;
  }

  /** The runner for a call, other than `avoid`; undefined when none is known that is alive, not draining and not full. */
  choose(key: string, now: number, avoid?: string): string | undefined {
    const members = [...this.#runners]
      .filter(([id, runner]) => id !== avoid && !runner.beat.draining && !isLost(runner, now))
      .map(([id, { beat, own }]) => ({ id, load: Math.max(beat.inFlight, own), capacity: beat.capacity }));
    return place(key, members)?.id;
  }

  /** Counts a call until the returned function says that it has ended. */
  begin(runnerId: string): () => void {
    const runner = this.#runners.get(runnerId);
    if (runner === undefined) return () => {};
    runner.own += 1;
    return () => {
      runner.own -= 1;
    };
  }
}

const isLost = (runner: Runner, now: number): boolean => now - runner.heardAt > LOST_AFTER_MS;
