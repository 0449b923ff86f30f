import type { Execution, Fault, Outcome } from './outcome.ts';
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
  /** Runs one request. Settles with exactly one outcome, no later than the execution's deadline; never rejects. */
  execute(execution: Execution): Promise<Outcome>;
  stats(): EngineStats;
  /** Takes no more calls and waits for those in flight, at most `deadlineMs`. True where all of them ended (I10). */
  drain(deadlineMs: number): Promise<boolean>;
  /** Ends every sandbox and resolves when all processes are gone. Calls still in flight become `crashed`. */
  close(): Promise<void>;
}

interface Tenant {
  readonly sandbox: Sandbox;
  idleTimer: NodeJS.Timeout | undefined;
}

/** Runs guests in one process per tenant, started on demand and retired when idle. */
export function createEngine(options: EngineOptions): Engine {
  /** In the order of use, the least recent first. */
  const tenants = new Map<string, Tenant>();
  const processes = new Set<Sandbox>();
  const running = new Set<Promise<Outcome>>();
  let accepting = true;

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

  function start(tenantId: string): Tenant {
    const sandbox = new Sandbox({
      tenantId,
      spawn: () => spawnSandbox(options.heapMb),
      onFault: options.onFault,
      onExit: () => {
        processes.delete(sandbox);
        clearTimeout(tenant.idleTimer);
        if (tenants.get(tenantId) === tenant) tenants.delete(tenantId);
      },
    });
    const tenant: Tenant = { sandbox, idleTimer: undefined };
    processes.add(sandbox);
    return tenant;
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
    const started = performance.now();
    const outcome = await attempt(execution);
    // A call that waited behind a guest that had to be killed has not been seen by any guest: it gets a fresh process.
    if (outcome.kind !== 'crashed' || outcome.started) return outcome;
    return attempt({ ...execution, deadlineMs: execution.deadlineMs - (performance.now() - started) });
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

  return { execute, stats, drain, close };
}
