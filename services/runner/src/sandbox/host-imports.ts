import type { Call } from './call.ts';
import { isPlainData } from './plain-data.ts';
import { type HostFunctionName, type HostResult, MAX_HOST_CALL_BYTES } from './protocol.ts';
import type { Turns } from './turns.ts';

export interface ImportNames {
  readonly witPackage: string;
  readonly witVersion: string;
  readonly functions: readonly HostFunctionName[];
}

/** Sends a host call to the parent. */
export type AskParent = (call: Call, seq: number, fn: HostFunctionName, args: readonly unknown[]) => void;

/**
 * What guests import of the platform: frozen, without prototypes, under the versioned and the unversioned interface names.
 * One object serves all instances, since a guest runs in its call's turn only. Capabilities are not looked at here: the
 * guest could reach this side (I6 is kept in the parent).
 */
export function hostImports(names: ImportNames, turns: Turns<Call>, ask: AskParent): Readonly<Record<string, object>> {
  const byInterface = new Map<string, Record<string, unknown>>();
  for (const fn of names.functions) {
    let functions = byInterface.get(fn.interface);
    if (functions === undefined) {
      functions = Object.create(null) as Record<string, unknown>;
      byInterface.set(fn.interface, functions);
    }
    functions[fn.function] = async (...args: unknown[]): Promise<unknown> => {
      const result = await askForCall(turns, ask, fn, args);
      if (result.ok) return result.value;
      // jco hands an own `payload` of anything thrown to the guest as its error value: this object and no other.
      throw Object.freeze({ __proto__: null, payload: result.error });
    };
  }
  const imports = Object.create(null) as Record<string, object>;
  for (const [name, functions] of byInterface) {
    const frozen = Object.freeze(functions);
    imports[`${names.witPackage}/${name}@${names.witVersion}`] = frozen;
    imports[`${names.witPackage}/${name}`] = frozen;
  }
  return imports;
}

// Never settles where the call ends meanwhile: the guest is thrown out of its suspension instead.
function askForCall(
  turns: Turns<Call>,
  ask: AskParent,
  fn: HostFunctionName,
  args: readonly unknown[],
): Promise<HostResult> {
  const call = turns.current;
  // Nobody answers for an instance that is made ahead.
  if (call === undefined || call.id < 0) throw new Error('a host function was called outside a call');
  if (!isPlainData(args, MAX_HOST_CALL_BYTES)) {
    call.liftedLeft = -1;
    call.unwind();
    throw new Error('the arguments of a host call are too large');
  }
  const seq = call.nextSequence();
  const answered = new Promise<HostResult>((resolve) => {
    call.waiting.set(seq, (result) => {
      call.waiting.delete(seq);
      turns.give(call, () => resolve(result));
    });
  });
  turns.end();
  ask(call, seq, fn, args);
  return answered;
}
