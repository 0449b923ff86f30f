/** So many crashes ... */
const MAX_CRASHES = 3;
/** ... within this time are no accident. */
const WINDOW_MS = 60_000;
/** First pause; each crash of a probe doubles it. */
const PAUSE_MS = 10_000;
const MAX_PAUSE_MS = 300_000;
/** Components remembered; the least recent is forgotten, which costs three more crashes at the worst. */
const MAX_REMEMBERED = 1_000;

type Record =
  | { readonly state: 'closed'; readonly crashes: readonly number[] }
  | { readonly state: 'open'; readonly untilMs: number; readonly pauseMs: number }
  /** One call is let through to see. */
  | { readonly state: 'probing'; readonly pauseMs: number };

export type Admission =
  | { readonly admitted: true; readonly probe: boolean }
  | { readonly admitted: false; readonly retryAfterMs: number };

/** Keeps components away that crash their sandboxes: a circuit breaker per component of a tenant. Times are monotonic, in ms. */
export class Quarantine {
  readonly #records = new Map<string, Record>();

  admit(component: string, nowMs: number): Admission {
    const record = this.#records.get(component);
    if (record === undefined || record.state === 'closed') return { admitted: true, probe: false };
    if (record.state === 'probing') return { admitted: false, retryAfterMs: record.pauseMs };
    if (nowMs < record.untilMs) return { admitted: false, retryAfterMs: Math.ceil(record.untilMs - nowMs) };
    this.#set(component, { state: 'probing', pauseMs: record.pauseMs });
    return { admitted: true, probe: true };
  }

  /** A sandbox died of it. */
  crashed(component: string, nowMs: number): 'quarantined' | 'counted' {
    const record = this.#records.get(component) ?? { state: 'closed', crashes: [] };
    if (record.state === 'open' && nowMs < record.untilMs) return 'quarantined';
    // A probe, or what was let through as one and had not been seen to end.
    if (record.state !== 'closed') {
      const pauseMs = Math.min(MAX_PAUSE_MS, record.pauseMs * 2);
      this.#set(component, { state: 'open', untilMs: nowMs + pauseMs, pauseMs });
      return 'quarantined';
    }
    const crashes = [...record.crashes.filter((at) => nowMs - at < WINDOW_MS), nowMs];
    if (crashes.length < MAX_CRASHES) {
      this.#set(component, { state: 'closed', crashes });
      return 'counted';
    }
    this.#set(component, { state: 'open', untilMs: nowMs + PAUSE_MS, pauseMs: PAUSE_MS });
    return 'quarantined';
  }

  /** A probe has ended without a crash; `ran` false: it was not seen to end by itself, and the next call is the probe. */
  probed(component: string, ran: boolean, nowMs: number): void {
    const record = this.#records.get(component);
    if (record?.state !== 'probing') return;
    if (ran) this.#records.delete(component);
    else this.#set(component, { state: 'open', untilMs: nowMs, pauseMs: record.pauseMs });
  }

  #set(component: string, record: Record): void {
    this.#records.delete(component);
    this.#records.set(component, record);
    const [oldest] = this.#records.keys();
    if (this.#records.size > MAX_REMEMBERED && oldest !== undefined) this.#records.delete(oldest);
  }
}
