/** `starting` and `draining` answer 503 on /readyz; the process itself is alive in both. */
type Phase = 'starting' | 'running' | 'draining';

interface Readiness {
  readonly ready: boolean;
  readonly phase: Phase;
  /** Name of each check -> whether it holds now. */
  readonly checks: Readonly<Record<string, boolean>>;
}

/** Ready means: can do work. Each part of a service adds what it needs for that. */
export class Health {
  phase: Phase = 'starting';
  readonly #checks = new Map<string, () => boolean>();

  /** `check` must answer at once from what it already knows. */
  add(name: string, check: () => boolean): void {
    this.#checks.set(name, check);
  }

  readiness(): Readiness {
    const checks = Object.fromEntries([...this.#checks].map(([name, check]) => [name, check()]));
    return { ready: this.phase === 'running' && Object.values(checks).every(Boolean), phase: this.phase, checks };
  }
}
