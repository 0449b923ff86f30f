// What a guest hands to the host is lifted into JS values by glue code that believes the guest's lengths: 200 strings that
// all name one region of 16 MiB lift to 3 GiB. Glue gets strings and byte lists through two functions only, and both are
// replaced by ones that charge the call that runs. Lists of handles it makes by `push` alone, which is replaced as well.

/** What an item costs beside its bytes, so that a list of a million empty strings has a price. */
const ITEM_BYTES = 16;

/** Charges `bytes` to the running call; throws where it has nothing left. */
export type Charge = (bytes: number) => void;

/** For whoever may lift no more. */
export class LiftLimit extends Error {}

/** A TextDecoder that charges before it decodes. */
export function chargingDecoder(charge: Charge): typeof TextDecoder {
  return class extends TextDecoder {
    override decode(input?: NodeJS.ArrayBufferView, options?: { stream?: boolean }): string {
      charge(ITEM_BYTES + (input?.byteLength ?? 0));
      return super.decode(input, options);
    }
  };
}

/**
 * Makes `push` of a realm's arrays charge for handles, which a guest can name any number of times in one list.
 * Glue pushes each of them twice.
 */
export function chargePushes(prototype: unknown[], isHandle: (value: unknown) => boolean, charge: Charge): void {
  const { push } = prototype;
  Object.defineProperty(prototype, 'push', {
    value(this: unknown[], ...items: unknown[]): number {
      for (const item of items) if (isHandle(item)) charge(ITEM_BYTES);
      return push.apply(this, items);
    },
    writable: false,
    configurable: false,
  });
}

/** Makes `slice` of a realm's array buffers charge before it copies. */
export function chargeSlices(prototype: ArrayBuffer, charge: Charge): void {
  const { slice } = prototype;
  Object.defineProperty(prototype, 'slice', {
    value(this: ArrayBuffer, start = 0, end = this.byteLength): ArrayBuffer {
      charge(ITEM_BYTES + Math.max(0, Math.min(end, this.byteLength) - start));
      return slice.call(this, start, end);
    },
    writable: false,
    configurable: false,
  });
}
