// One file, though long: every path by which a call of a process can end, and the rule that the first one counts (I7).
import type { ChildProcess } from 'node:child_process';
import { HOST_FUNCTIONS, WIT_PACKAGE, WIT_VERSION } from '@alga/contracts';
import type { FromSandbox, HostResult, ToSandbox } from '../sandbox/protocol.ts';
import { type LoadEnd, SandboxArtifacts } from './artifacts.ts';
import { type EndMessage, toOutcome } from './call-end.ts';
import { guardChannel } from './channel-guard.ts';
import { parseChildMessage } from './child-message.ts';
import type { Execution, Fault, Outcome } from './outcome.ts';
import { processorMs, residentBytes } from './process-usage.ts';

/** How long a sandbox may take to answer a cancellation before it is killed: it is computing, not waiting. */
const CANCEL_GRACE_MS = 250;
/** What a process that computes uses of the grace, at the least; one that used less was not given the processor. */
const BUSY_MS = CANCEL_GRACE_MS / 2;
/** The end of all patience with a process that is not given the processor. */
const MAX_GRACE_MS = 2_000;
/** Messages of a call that were on their way when it was answered without the child. */
const MAX_LATE_MESSAGES = 1_000;
const BOOT_MS = 10_000;
/** A guest is suspended in one host call at a time; more at once come from an escape. */
const MAX_PENDING_HOST_CALLS = 4;
/** Offences of a sandbox: late and unasked messages cost one, malformed ones fifty; a completed call forgives ten. */
const MAX_OFFENCES = 1_000;
const MALFORMED = 50;
const FATAL = MAX_OFFENCES + 1;
const FORGIVEN = 10;
const STDERR_TAIL_CHARS = 4_096;
/** V8's last words where its heap, or what the kernel lets it have, is used up. */
const HEAP_EXHAUSTED = /heap out of memory|process out of memory/;
const PAGES_PER_MIB = 16;

/** Interfaces whose functions have no WIT result: a host that cannot answer ends the call. */
const WITHOUT_ERRORS: ReadonlySet<string> = new Set(['context', 'logging']);

const OFFERED: ReadonlySet<string> = new Set(HOST_FUNCTIONS.map((fn) => `${fn.interface}#${fn.function}`));

interface SandboxOptions {
  /** Starts the process; `spawnSandbox` in production. */
  readonly spawn: () => ChildProcess;
  readonly onFault: (fault: Fault) => void;
  /** `suspects`: content hashes of what ran when the process died without being told to. */
  readonly onExit: (suspects: ReadonlySet<string>) => void;
}

interface Call {
  readonly id: number;
  readonly execution: Execution;
  readonly settle: (outcome: Outcome) => void;
  readonly timer: NodeJS.Timeout;
  /** Monotonic clock, ms. */
  readonly endMs: number;
  started: boolean;
  hostCalls: number;
  pendingHostCalls: number;
  outputChars: number;
}

interface Abandoned {
  timer: NodeJS.Timeout;
  readonly contentHash: string;
  /** Processor time of the process then, ms; undefined where it cannot be read. */
  readonly cpuMs: number | undefined;
  /** Monotonic clock, ms: the process is killed by then, whatever speaks for it. */
  readonly lastMs: number;
  lateMessages: number;
}

type HostCallMessage = Extract<FromSandbox, { type: 'host_call' }>;
type OutputMessage = Extract<FromSandbox, { type: 'output' }>;

/** The parent's side of one tenant's process (I5). Every promise it hands out settles, whatever the child does. */
export class Sandbox {
  readonly #child: ChildProcess;
  readonly #options: SandboxOptions;
  readonly #ready = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<void>();
  readonly #bootTimer: NodeJS.Timeout;
  readonly #calls = new Map<number, Call>();
  /** Calls that were answered without the child; each waits for the child's word that nothing of it runs any more. */
  readonly #abandoned = new Map<number, Abandoned>();
  readonly #artifacts = new SandboxArtifacts();
  /** Set while a cancellation is unanswered: the process may be about to be killed, so no call is started in it. */
  #doubt: PromiseWithResolvers<void> | undefined;
  #isReady = false;
  #ending = false;
  #ended = false;
  #nextCall = 1;
  #offences = 0;
  #stderrTail = '';
  #tenantId: string | undefined;
  #killedFor: 'retired' | 'unresponsive' | 'protocol_violation' | 'memory' | undefined;

  constructor(options: SandboxOptions) {
    this.#options = options;
    this.#child = options.spawn();
    guardChannel(this.#child, (unreadable) => this.#offend(unreadable ? FATAL : MALFORMED));
    this.#child.on('message', (raw) => this.#receive(raw));
    this.#child.once('error', () => this.#end(null, null));
    this.#child.once('disconnect', () => {
      this.#ending = true;
      this.#child.kill('SIGKILL');
    });
    this.#child.once('close', (exitCode, signal) => this.#end(exitCode, signal));
    this.#child.stderr?.setEncoding('latin1').on('data', (text: string) => {
      // Kept to tell an exhausted heap from other ends; never logged, a guest could have written it.
      this.#stderrTail = (this.#stderrTail + text).slice(-STDERR_TAIL_CHARS);
    });
    this.#bootTimer = setTimeout(() => {
      options.onFault({
        kind: 'sandbox_not_started',
        tenantId: this.tenantId,
        reason: `not ready after ${BOOT_MS} ms`,
      });
      this.kill();
    }, BOOT_MS);
    this.#send({ type: 'init', witPackage: WIT_PACKAGE, witVersion: WIT_VERSION, functions: HOST_FUNCTIONS });
  }

  /** Whose guests run in it; a spare has no tenant yet. */
  get tenantId(): string {
    return this.#tenantId ?? '';
  }

  /** Gives it to a tenant, for good (I5). */
  adopt(tenantId: string): void {
    if (this.#tenantId !== undefined) throw new Error('a sandbox has one tenant');
    this.#tenantId = tenantId;
  }

  /** Resident memory in bytes, as the kernel counts it; undefined where it cannot be read. */
  residentBytes(): number | undefined {
    return residentBytes(this.#child.pid);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Calls that have no outcome yet. */
  get inFlight(): number {
    return this.#calls.size;
  }

  /** Nothing of any call runs in it. */
  get isIdle(): boolean {
    return this.#calls.size === 0 && this.#abandoned.size === 0;
  }

  /** Takes no more calls: it is gone, or has been told to go. */
  get isEnding(): boolean {
    return this.#ending;
  }

  /** Resolves when the process is gone. */
  get exited(): Promise<void> {
    return this.#exited.promise;
  }

  /** Ends the process at once; calls in flight become `crashed`. */
  kill(): void {
    this.#killedFor ??= 'retired';
    this.#ending = true;
    this.#child.kill('SIGKILL');
  }

  /** Ends a process that has grown too large; calls in flight become `out_of_memory`. */
  killForMemory(): void {
    this.#killFor('memory');
  }

  execute(execution: Execution): Promise<Outcome> {
    if (execution.tenantId !== this.#tenantId) throw new Error('the sandbox is of another tenant');
    return new Promise((resolve) => {
      const id = this.#nextCall++;
      const settle = (outcome: Outcome): void => {
        // The first outcome counts (I7); a settled call is gone from the map.
        if (!this.#calls.delete(id)) return;
        clearTimeout(call.timer);
        resolve(outcome);
      };
      const timer = setTimeout(() => this.#abandon(call, { kind: 'timeout' }), execution.deadlineMs);
      const call: Call = {
        id,
        execution,
        settle,
        timer,
        endMs: performance.now() + execution.deadlineMs,
        started: false,
        hostCalls: 0,
        pendingHostCalls: 0,
        outputChars: 0,
      };
      this.#calls.set(id, call);
      this.#start(call).catch((error: unknown) => {
        this.#options.onFault({ kind: 'sandbox_not_started', tenantId: this.tenantId, reason: describe(error) });
        this.kill();
      });
    });
  }

  async #start(call: Call): Promise<void> {
    const loaded = await this.#load(call.execution);
    if (!loaded.ok) call.settle({ kind: 'not_loadable', message: loaded.message });
    while (this.#doubt !== undefined) await this.#doubt.promise;
    if (!this.#calls.has(call.id)) return;
    call.started = true;
    const { artifact, installId, limits, request } = call.execution;
    this.#send({
      type: 'run',
      call: call.id,
      artifact: artifact.contentHash,
      pool: installId,
      memoryPages: limits.memoryMb * PAGES_PER_MIB,
      limits: {
        wallMs: Math.max(1, call.endMs - performance.now()),
        cpuMs: limits.cpuMs,
        liftedBytes: limits.liftedBytes,
        outputChars: limits.logBytes,
      },
      request,
    });
  }

  #load({ artifact: { contentHash: artifact, entry, files, modules, pool, sourceMap } }: Execution): Promise<LoadEnd> {
    const inUse = new Set([...this.#calls.values()].map(({ execution }) => execution.artifact.contentHash));
    const bytes = [...files.values()].reduce((sum, file) => sum + file.byteLength, 0);
    return this.#artifacts.load(artifact, bytes, inUse, {
      load: () => this.#send({ type: 'load', artifact, entry, files, modules, reusable: pool.reusable, sourceMap }),
      unload: (oldest) => this.#send({ type: 'unload', artifact: oldest }),
    });
  }

  #receive(raw: unknown): void {
    const message = parseChildMessage(raw);
    if (message === undefined) {
      this.#offend(MALFORMED);
      return;
    }
    switch (message.type) {
      // Unasked, each of these costs the parent as much as a real one: a flood of them is an offence too.
      case 'ready':
        if (this.#isReady) this.#offend(1);
        clearTimeout(this.#bootTimer);
        this.#isReady = true;
        this.#ready.resolve();
        break;
      case 'loaded':
        if (!this.#artifacts.settle(message.artifact, { ok: true })) this.#offend(1);
        break;
      case 'load_failed':
        if (!this.#artifacts.settle(message.artifact, { ok: false, message: message.message })) this.#offend(1);
        break;
      case 'cancelled':
        if (!this.#acknowledge(message.call)) this.#offend(1);
        break;
      default:
        this.#receiveForCall(message);
    }
  }

  #receiveForCall(message: HostCallMessage | OutputMessage | EndMessage): void {
    const call = this.#calls.get(message.call);
    // A call that was answered without the child, and has now ended there as well: at its deadline both say so.
    if (call === undefined && (message.type === 'finished' || message.type === 'failed')) {
      if (!this.#acknowledge(message.call)) this.#offend(1);
      return;
    }
    // Forged messages end up here, and late ones.
    if (call === undefined || !call.started) this.#late(message.call);
    else if (message.type === 'host_call') this.#hostCall(call, message);
    else if (message.type === 'output') this.#output(call, message);
    else {
      this.#offences = Math.max(0, this.#offences - FORGIVEN);
      call.settle(toOutcome(message, call.execution.limits.responseBytes));
    }
  }

  // A guest that holds its thread cannot be told that it has been answered for.
  #late(call: number): void {
    const abandoned = this.#abandoned.get(call);
    if (abandoned === undefined || ++abandoned.lateMessages > MAX_LATE_MESSAGES) this.#offend(1);
  }

  // The child keeps to the limit; one that was taken over would not.
  #output(call: Call, { stream, text }: OutputMessage): void {
    call.outputChars += text.length;
    if (text === '' || call.outputChars > call.execution.limits.logBytes) this.#offend(MALFORMED);
    else call.execution.onOutput(stream, text);
  }

  #hostCall(call: Call, message: HostCallMessage): void {
    if (!OFFERED.has(`${message.interface}#${message.function}`) || call.pendingHostCalls >= MAX_PENDING_HOST_CALLS) {
      this.#offend(MALFORMED);
      return;
    }
    const { hostCalls } = call.execution.limits;
    if (++call.hostCalls > hostCalls) {
      this.#abandon(call, { kind: 'limit_exceeded', limit: 'hostCalls', message: `more than ${hostCalls} host calls` });
      return;
    }
    call.pendingHostCalls++;
    // Cannot reject: askHost answers for whatever the handler does.
    void this.#askHost(call, message).then((result) => {
      call.pendingHostCalls--;
      if (!result.ok && WITHOUT_ERRORS.has(message.interface)) {
        this.#abandon(call, { kind: 'trap', message: `the host has no answer to ${message.function}` });
      } else if (this.#calls.has(call.id)) this.#send({ type: 'host_result', call: call.id, seq: message.seq, result });
    });
  }

  async #askHost(call: Call, message: HostCallMessage): Promise<HostResult> {
    const { interface: name, function: fn, args } = message;
    try {
      return await call.execution.host({ interface: name, function: fn, args });
    } catch (error) {
      this.#options.onFault({ kind: 'host_handler_threw', tenantId: this.tenantId, function: `${name}#${fn}`, error });
      return { ok: false, error: 'internal' };
    }
  }

  // The caller is answered now; the child gets a grace to stop what it does for the call. A guest that waits on the host
  // stops at once, one that computes is interrupted at its deadline by the watchdog, and its neighbours go on. What neither
  // reaches (a loop in glue, a child that was taken over) is killed, and its neighbours with it.
  #abandon(call: Call, outcome: Outcome): void {
    if (!this.#calls.has(call.id)) return;
    call.settle(outcome);
    // A sandbox that is still starting has its own deadline.
    if (!this.#isReady) return;
    this.#send({ type: 'cancel', call: call.id });
    const { contentHash } = call.execution.artifact;
    const now = performance.now();
    const busiest = Math.max(
      0,
      ...this.#live(now).map(({ endMs, execution }) => Math.min(endMs - now, execution.limits.cpuMs)),
    );
    this.#abandoned.set(call.id, {
      timer: setTimeout(() => this.#judge(call.id), CANCEL_GRACE_MS),
      contentHash,
      cpuMs: processorMs(this.#child.pid),
      lastMs: now + Math.max(MAX_GRACE_MS, busiest + CANCEL_GRACE_MS),
      lateMessages: 0,
    });
    this.#doubt ??= Promise.withResolvers<void>();
  }

  /** Calls whose guests may hold the thread with every right. */
  #live(now: number): Call[] {
    return [...this.#calls.values()].filter(({ started, endMs }) => started && now < endMs);
  }

  // The cancellation is not answered. Either the thread is held by a neighbour that is within its own limits, or the process
  // was not given the processor: then it is asked again. Or nothing reaches what runs there: then it is killed.
  #judge(id: number): void {
    const abandoned = this.#abandoned.get(id);
    if (abandoned === undefined) return;
    const now = performance.now();
    const used = (processorMs(this.#child.pid) ?? Number.POSITIVE_INFINITY) - (abandoned.cpuMs ?? 0);
    if (now < abandoned.lastMs && (used < BUSY_MS || this.#live(now).length > 0)) {
      abandoned.timer = setTimeout(() => this.#judge(id), CANCEL_GRACE_MS);
      return;
    }
    this.#killFor('unresponsive');
  }

  #acknowledge(call: number): boolean {
    clearTimeout(this.#abandoned.get(call)?.timer);
    const wasAbandoned = this.#abandoned.delete(call);
    this.#dispelDoubt();
    return wasAbandoned;
  }

  #dispelDoubt(): void {
    if (this.#abandoned.size > 0) return;
    this.#doubt?.resolve();
    this.#doubt = undefined;
  }

  #offend(points: number): void {
    this.#offences += points;
    if (this.#offences > MAX_OFFENCES && !this.#ending) this.#killFor('protocol_violation');
  }

  #killFor(reason: 'unresponsive' | 'protocol_violation' | 'memory'): void {
    if (this.#ending) return;
    this.#killedFor = reason;
    this.#options.onFault({ kind: 'sandbox_killed', tenantId: this.tenantId, reason });
    // Nothing more is read from it: messages that are already queued are not believed either.
    this.#child.removeAllListeners('message');
    this.kill();
  }

  #send(message: ToSandbox): void {
    // A failed send is followed by `close`, which settles everything that waits.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  #end(exitCode: number | null, signal: NodeJS.Signals | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#ending = true;
    clearTimeout(this.#bootTimer);
    for (const { timer } of this.#abandoned.values()) clearTimeout(timer);
    const suspects = this.#suspects();
    this.#abandoned.clear();
    this.#dispelDoubt();
    if (this.#killedFor === undefined && exitCode !== 0) {
      this.#options.onFault({ kind: 'sandbox_crashed', tenantId: this.tenantId, signal, exitCode });
    }
    const started = [...this.#calls.values()].filter((call) => call.started);
    for (const call of [...this.#calls.values()]) {
      // With one call running there is no doubt whose heap it was.
      const exhausted =
        call.started &&
        (this.#killedFor === 'memory' ||
          (HEAP_EXHAUSTED.test(this.#stderrTail) && started.length === 1 && this.#killedFor === undefined));
      call.settle(exhausted ? { kind: 'out_of_memory' } : { kind: 'crashed', signal, exitCode, started: call.started });
    }
    this.#ready.resolve();
    this.#artifacts.abandon();
    this.#exited.resolve();
    this.#options.onExit(suspects);
  }

  /** What may have brought the process down: what would not let go, else whatever ran. */
  #suspects(): ReadonlySet<string> {
    if (this.#killedFor === 'retired') return new Set();
    if (this.#killedFor === 'unresponsive')
      return new Set([...this.#abandoned.values()].map((each) => each.contentHash));
    const started = [...this.#calls.values()].filter((call) => call.started);
    return new Set([
      ...started.map((call) => call.execution.artifact.contentHash),
      ...[...this.#abandoned.values()].map(({ contentHash }) => contentHash),
    ]);
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown';
}
