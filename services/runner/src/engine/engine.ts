import { type Confinement, probeConfinement } from './confinement.ts';
import { watchMemory } from './memory-watch.ts';
import type { Execution, Fault, Outcome } from './outcome.ts';
import { prepareSandboxProgram } from './program.ts';
import { Quarantine } from './quarantine.ts';
import { Sandbox } from './sandbox.ts';
import { spawnSandbox } from './spawn.ts';

export interface EngineOptions {
  /** Most processes at once: one per tenant (I5). */
  readonly maxSandboxes: number;
  /** Most calls at once in one of them; more are `overloaded`. */
  readonly maxInFlightPerSandbox: number;
  /** How long a sandbox without a call is kept, in milliseconds. */
  readonly idleMs: number;
  /** V8 heap of a sandbox, in MiB: glue and lifted values, not the guests' linear memories. */
  readonly heapMb: number;
  /** Resident memory of one sandbox at the most, in MiB; a larger one is killed. */
  readonly sandboxMemoryMb: number;
  /** Resident memory of all sandboxes, in MiB; above it idle ones are retired, the longest idle first. */
  readonly totalMemoryMb: number;
  readonly onFault: (fault: Fault) => void;
}

interface EngineStats {
  readonly inFlight: number;
  readonly sandboxes: readonly {
    readonly tenantId: string;
    readonly pid: number | undefined;
    readonly inFlight: number;
  }[];
}

export interface Engine {
  /** What keeps a sandbox in, on this platform. */
  readonly confinement: Confinement;
  /** Runs one request. Settles with exactly one outcome, no later than the execution's deadline; never rejects. */
  execute(execution: Execution): Promise<Outcome>;
  stats(): EngineStats;
  /** Takes no more calls and waits for those in flight, at most `deadlineMs`. True where all of them ended (I10). */
  drain(deadlineMs: number): Promise<boolean>;
  /** Ends every sandbox and resolves when all processes are gone. Calls still in flight become `crashed`. */
  close(): Promise<void>;
}

/** Outcomes that are the sandbox's own word: with any other the guest may run on, and bring it down yet. */
const SEEN_TO_END: ReadonlySet<Outcome['kind']> = new Set(['response', 'trap', 'cpu_exceeded', 'invalid_response']);

interface Tenant {
  readonly sandbox: Sandbox;
  idleTimer: NodeJS.Timeout | undefined;
}

/** Runs guests in one process per tenant, started one ahead and retired when idle. */
export function createEngine(options: EngineOptions): Engine {
  const program = prepareSandboxProgram();
  const confinement = probeConfinement();
  const quarantine = new Quarantine();
  /** In the order of use, the least recent first. */
  const tenants = new Map<string, Tenant>();
  const processes = new Set<Sandbox>();
  const running = new Set<Promise<Outcome>>();
  let accepting = true;
  let started = 0;
  /** A process that has started and has no tenant: the next new tenant does not wait for one. */
  let spare: Sandbox | undefined;

  const memoryWatch = watchMemory({
    sandboxes: () => [...tenants.values()].map(({ sandbox }) => sandbox),
    sandboxBytes: options.sandboxMemoryMb * 1_048_576,
    totalBytes: options.totalMemoryMb * 1_048_576,
    retireIdle: () => {
      const idle = [...tenants].find(([, { sandbox }]) => sandbox.isIdle);
      if (idle !== undefined) retire(...idle);
      return idle?.[1].sandbox;
    },
  });

  function retire(tenantId: string, tenant: Tenant): void {
    clearTimeout(tenant.idleTimer);
    if (tenants.get(tenantId) === tenant) tenants.delete(tenantId);
    tenant.sandbox.kill();
  }

  function makeRoom(): boolean {
    if (tenants.size < options.maxSandboxes) return true;
    for (const [tenantId, tenant] of tenants) {
      if (!tenant.sandbox.isIdle) continue;
      retire(tenantId, tenant);
      return true;
    }
    return false;
  }

  function spawn(): Sandbox {
    const sandbox: Sandbox = new Sandbox({
      spawn: () =>
        spawnSandbox(program, {
          heapMb: options.heapMb,
          memoryMb: options.sandboxMemoryMb + options.heapMb,
          confinement,
          index: started++,
        }),
      onFault: options.onFault,
      onExit: (suspects) => {
        processes.delete(sandbox);
        if (spare === sandbox) spare = undefined;
        const { tenantId } = sandbox;
        for (const contentHash of suspects) {
          if (quarantine.crashed(quarantineKey(tenantId, contentHash), performance.now()) === 'quarantined') {
            options.onFault({ kind: 'component_quarantined', tenantId, contentHash });
          }
        }
        const tenant = tenants.get(tenantId);
        if (tenant?.sandbox !== sandbox) return;
        clearTimeout(tenant.idleTimer);
        tenants.delete(tenantId);
      },
    });
    processes.add(sandbox);
    return sandbox;
  }

  function start(tenantId: string): Tenant {
    const sandbox = spare !== undefined && !spare.isEnding ? spare : spawn();
    spare = undefined;
    sandbox.adopt(tenantId);
    return { sandbox, idleTimer: undefined };
  }

  // After a call has ended rather than when the spare is taken: a start costs both cores of a small machine 50 ms.
  function keepSpare(): void {
    if (!accepting || spare !== undefined) return;
    try {
      spare = spawn();
    } catch {
      // Nobody waits for it; the call that needs a process will say that there is none.
    }
  }

  function sandboxFor(tenantId: string): Tenant | undefined {
    let tenant = tenants.get(tenantId);
    if (tenant === undefined || tenant.sandbox.isEnding) {
      if (!makeRoom()) return undefined;
      tenant = start(tenantId);
    }
    tenants.delete(tenantId);
    tenants.set(tenantId, tenant);
    return tenant;
  }

  async function execute(execution: Execution): Promise<Outcome> {
    const key = quarantineKey(execution.tenantId, execution.artifact.contentHash);
    const begun = performance.now();
    const admission = quarantine.admit(key, begun);
    if (!admission.admitted) return { kind: 'quarantined', retryAfterMs: admission.retryAfterMs };
    let outcome = await attempt(execution);
    // A call that waited behind a guest that had to be killed has not been seen by any guest: it gets a fresh process.
    if (outcome.kind === 'crashed' && !outcome.started) {
      outcome = await attempt({ ...execution, deadlineMs: execution.deadlineMs - (performance.now() - begun) });
    }
    if (admission.probe) quarantine.probed(key, SEEN_TO_END.has(outcome.kind), performance.now());
    keepSpare();
    return outcome;
  }

  async function attempt(execution: Execution): Promise<Outcome> {
    if (!accepting) return { kind: 'overloaded' };
    if (execution.deadlineMs <= 0) return { kind: 'timeout' };
    const tenant = tryStart(execution.tenantId);
    if (tenant === undefined || tenant.sandbox.inFlight >= options.maxInFlightPerSandbox) return { kind: 'overloaded' };
    clearTimeout(tenant.idleTimer);
    const outcome = tenant.sandbox.execute(execution);
    running.add(outcome);
    try {
      return await outcome;
    } finally {
      running.delete(outcome);
      if (tenant.sandbox.inFlight === 0) scheduleRetirement(execution.tenantId, tenant);
    }
  }

  // No process to be had (descriptors, memory) is a lack of room: another runner may have some.
  function tryStart(tenantId: string): Tenant | undefined {
    try {
      return sandboxFor(tenantId);
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'unknown';
      options.onFault({ kind: 'sandbox_not_started', tenantId, reason });
      return undefined;
    }
  }

  function scheduleRetirement(tenantId: string, tenant: Tenant): void {
    clearTimeout(tenant.idleTimer);
    tenant.idleTimer = setTimeout(() => {
      if (tenant.sandbox.isIdle) retire(tenantId, tenant);
    }, options.idleMs).unref();
  }

  async function drain(deadlineMs: number): Promise<boolean> {
    accepting = false;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), deadlineMs);
    });
    const done = Promise.all(running).then(() => true);
    try {
      return await Promise.race([done, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async function close(): Promise<void> {
    accepting = false;
    memoryWatch.stop();
    const ended = [...processes].map((sandbox) => sandbox.exited);
    for (const tenant of tenants.values()) clearTimeout(tenant.idleTimer);
    for (const sandbox of processes) sandbox.kill();
    tenants.clear();
    await Promise.all(ended);
  }

  function stats(): EngineStats {
    const sandboxes = [...tenants].map(([tenantId, { sandbox }]) => ({
      tenantId,
      pid: sandbox.pid,
      inFlight: sandbox.inFlight,
    }));
    return { inFlight: running.size, sandboxes };
  }

  return { confinement, execute, stats, drain, close };
}

// Per tenant: a tenant that crashes a component by what it sends must not take it from the others.
function quarantineKey(tenantId: string, contentHash: string): string {
  return `${tenantId}/${contentHash}`;
}
