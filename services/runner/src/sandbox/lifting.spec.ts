import { chargePushes, chargeSlices, chargingDecoder } from './lifting.ts';

describe('lifting', () => {
  it('charges a string by its bytes and its place in a list, before it is decoded', () => {
    const charges: number[] = [];
    const Decoder = chargingDecoder((bytes) => {
      charges.push(bytes);
      if (charges.length > 2) throw new Error('enough');
    });
    const decoder = new Decoder();
    expect(decoder.decode(new TextEncoder().encode('héllo'))).toBe('héllo');
    expect(decoder.decode(new Uint8Array())).toBe('');
    expect(() => decoder.decode(new Uint8Array(1_000))).toThrow('enough');
    expect(charges).toEqual([22, 16, 1_016]);
  });

  it('charges each handle of a list before it is in it, and nothing else', () => {
    class Handle {}
    class List extends Array<unknown> {}
    let left = 40;
    chargePushes(
      List.prototype,
      (value) => value instanceof Handle,
      (bytes) => {
        left -= bytes;
        if (left < 0) throw new Error('enough');
      },
    );
    const list = new List();
    expect(list.push(1, new Handle(), 'two', {})).toBe(4);
    list.push(new Handle());
    expect(() => list.push(new Handle())).toThrow('enough');
    expect(list).toHaveLength(5);
  });

  it('charges a byte list by what is copied, not by what is claimed', () => {
    const charges: number[] = [];
    class Buffer extends ArrayBuffer {}
    chargeSlices(Buffer.prototype, (bytes) => charges.push(bytes));
    const buffer = new Buffer(100);
    expect(buffer.slice(10, 2 ** 31).byteLength).toBe(90);
    expect(buffer.slice(90, 10).byteLength).toBe(0);
    expect(charges).toEqual([106, 16]);
  });
});
