import { HOST_FUNCTIONS } from '@alga/contracts';
import type { HostHandler } from '../engine/outcome.ts';
import type { HostResult } from '../sandbox/protocol.ts';
import { type Capability, type HostFunctionBody, ok, refused } from './capability.ts';

const REQUIRED: ReadonlyMap<string, string> = new Map(
  HOST_FUNCTIONS.map((fn) => [`${fn.interface}#${fn.function}`, fn.capability]),
);
/** Functions of this interface have no result to refuse with: a line that may not be written is dropped. */
const SILENT = 'logging';

interface DispatcherParts {
  /** The effective capabilities, from the envelope. */
  readonly granted: readonly string[];
  /** By interface, as HOST_FUNCTIONS names them. */
  readonly interfaces: Readonly<Record<string, Capability>>;
  readonly onDenied: (interfaceName: string, functionName: string, args: readonly unknown[]) => void;
  /** Told of every call that was let through. */
  readonly onCall: (hostFunction: string, ms: number) => void;
}

/**
 * One request's host. The capability is checked here, in the parent, on every call (I6): nothing that a guest does in
 * its own process can get past it. @throws TypeError when a function of the WIT has no body: a fault found at the first call.
 */
export function createDispatcher(parts: DispatcherParts): HostHandler {
  const granted = new Set(parts.granted);
  const bodies = bodiesOf(parts.interfaces);
  return async ({ interface: interfaceName, function: functionName, args }): Promise<HostResult> => {
    const name = `${interfaceName}#${functionName}`;
    const capability = REQUIRED.get(name);
    const body = bodies.get(name);
    if (capability === undefined || body === undefined) return refused('internal');
    if (!granted.has(capability)) {
      parts.onDenied(interfaceName, functionName, args);
      return interfaceName === SILENT ? ok(undefined) : refused('denied');
    }
    const started = performance.now();
    try {
      return await body(args);
    } finally {
      parts.onCall(name, performance.now() - started);
    }
  };
}

function bodiesOf(interfaces: DispatcherParts['interfaces']): ReadonlyMap<string, HostFunctionBody> {
  return new Map(
    HOST_FUNCTIONS.map((fn) => {
      const body = interfaces[fn.interface]?.[fn.function];
      if (body === undefined) throw new TypeError(`no host function ${fn.interface}#${fn.function}`);
      return [`${fn.interface}#${fn.function}`, body];
    }),
  );
}
