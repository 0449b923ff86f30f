import type { HostFunctionName, HostResult } from './protocol.ts';

/** Asks the parent. Never rejects; never settles where the guest is thrown out instead. */
export type CallHost = (fn: HostFunctionName, args: readonly unknown[]) => Promise<HostResult>;

export interface ImportNames {
  readonly witPackage: string;
  readonly witVersion: string;
  readonly functions: readonly HostFunctionName[];
}

/**
 * The import object of one call: frozen, without prototypes, under the versioned and the unversioned interface names.
 * Capabilities are not looked at here: the guest could reach this side (I6 is kept in the parent).
 */
export function hostImports(names: ImportNames, callHost: CallHost): Readonly<Record<string, object>> {
  const byInterface = new Map<string, Record<string, unknown>>();
  for (const fn of names.functions) {
    let functions = byInterface.get(fn.interface);
    if (functions === undefined) {
      functions = Object.create(null) as Record<string, unknown>;
      byInterface.set(fn.interface, functions);
    }
    functions[fn.function] = async (...args: unknown[]): Promise<unknown> => {
      const result = await callHost(fn, args);
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
  return Object.freeze(imports);
}
