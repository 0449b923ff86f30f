// The sandbox: one process per tenant (I5) that runs guests and knows nothing. It holds no credential, reads no file,
// opens no socket; all it can do is ask its parent over IPC, and the parent decides (I6).
import { type CallEnd, type Component, loadComponent } from './component.ts';
import type { CallHost, ImportNames } from './host-imports.ts';
import { lockDown } from './lockdown.ts';
import { isPlainData } from './plain-data.ts';
import {
  type FromSandbox,
  type HostResult,
  MAX_HOST_CALL_BYTES,
  MAX_RESPONSE_BYTES,
  type ToSandbox,
} from './protocol.ts';

type RunMessage = Extract<ToSandbox, { type: 'run' }>;

interface RunningCall {
  cancelled: boolean;
  overLimit: boolean;
  seq: number;
  readonly unwind: PromiseWithResolvers<never>;
  /** Host calls that the parent has not answered. */
  readonly waiting: Map<number, (result: HostResult) => void>;
}

const send = process.send?.bind(process) as
  | ((message: FromSandbox, done: (error: Error | null) => void) => boolean)
  | undefined;
if (send === undefined) throw new Error('the sandbox is started by the runner only');

const components = new Map<string, Component>();
const calls = new Map<number, RunningCall>();
/** Not yet begun, in the order of arrival. */
const queue = new Map<number, RunMessage>();
let names: ImportNames | undefined;

// A parent that is gone can be answered by nobody.
process.once('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole process group; the runner drains first and ends its sandboxes itself (I10).
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('message', (message: ToSandbox) => {
  receive(message).catch(() => process.exit(70));
});
lockDown();
tell({ type: 'ready' });

async function receive(message: ToSandbox): Promise<void> {
  switch (message.type) {
    case 'init':
      names = message;
      return;
    case 'load':
      return load(message);
    case 'unload':
      components.delete(message.artifact);
      return;
    case 'run':
      queue.set(message.call, message);
      if (queue.size === 1) setImmediate(runNext);
      return;
    case 'host_result':
      calls.get(message.call)?.waiting.get(message.seq)?.(message.result);
      return;
    case 'cancel':
      return cancel(message.call);
  }
}

async function load(message: Extract<ToSandbox, { type: 'load' }>): Promise<void> {
  try {
    if (names === undefined) throw new Error('not initialised');
    components.set(message.artifact, await loadComponent(message, names));
    tell({ type: 'loaded', artifact: message.artifact });
  } catch (error) {
    // Made of the artifact alone, before any guest has run: it holds nothing of a tenant.
    tell({
      type: 'load_failed',
      artifact: message.artifact,
      message: error instanceof Error ? error.message : 'cannot be loaded',
    });
  }
}

// One instance is made per turn of the event loop: a cancellation is read between two of them however many calls wait,
// and V8 frees instances in such a gap only.
function runNext(): void {
  const [next] = queue.values();
  if (next === undefined) return;
  queue.delete(next.call);
  run(next).catch(() => process.exit(70));
  if (queue.size > 0) setImmediate(runNext);
}

async function run({ call, artifact, request }: RunMessage): Promise<void> {
  const component = components.get(artifact);
  if (component === undefined) {
    tell({ type: 'failed', call, reason: 'trap', message: '' });
    return;
  }
  const unwind = Promise.withResolvers<never>();
  unwind.promise.catch(() => undefined);
  const running: RunningCall = { cancelled: false, overLimit: false, seq: 0, unwind, waiting: new Map() };
  calls.set(call, running);
  const end = await component.call(request, hostCaller(call, running), unwind.promise);
  calls.delete(call);
  if (running.cancelled) tell({ type: 'cancelled', call });
  else tell(toMessage(call, end, running));
}

function hostCaller(call: number, running: RunningCall): CallHost {
  return (fn, args) => {
    const seq = running.seq++;
    if (!running.cancelled && isPlainData(args, MAX_HOST_CALL_BYTES)) {
      tell({ type: 'host_call', call, seq, interface: fn.interface, function: fn.function, args });
    } else {
      running.overLimit ||= !running.cancelled;
      running.unwind.reject(new Error('the call is over'));
    }
    // Never settled where the guest is thrown out: the glue is then as forgotten as its instance.
    return new Promise((resolve) => {
      running.waiting.set(seq, (result) => {
        running.waiting.delete(seq);
        resolve(result);
      });
    });
  };
}

// Unwinding frees the suspended stack, and the guest cannot go on. `cancelled` is said once the guest has really ended:
// one that catches and computes is killed by the parent.
function cancel(call: number): void {
  const running = calls.get(call);
  if (running === undefined) {
    queue.delete(call);
    tell({ type: 'cancelled', call });
    return;
  }
  running.cancelled = true;
  running.unwind.reject(new Error('cancelled'));
}

function toMessage(call: number, end: CallEnd, running: RunningCall): FromSandbox {
  if (end.kind === 'failed') {
    const reason = running.overLimit ? 'host_call_too_large' : end.reason;
    return { type: 'failed', call, reason, message: end.message };
  }
  if (!isPlainData(end.response, MAX_RESPONSE_BYTES)) {
    return { type: 'failed', call, reason: 'response_too_large', message: '' };
  }
  return { type: 'finished', call, response: end.response };
}

function tell(message: FromSandbox): void {
  // An error here means that the channel is closed; `disconnect` ends the process.
  send?.(message, () => undefined);
}
