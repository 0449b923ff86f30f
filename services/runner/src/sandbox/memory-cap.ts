// Lowers the declared maximum of each linear memory, so that `memory.grow` fails inside the guest at its limit instead
// of at 4 GiB. Reads just enough of the binary format to find the memory section.

const MEMORY_SECTION = 5;
const PREAMBLE_BYTES = 8;
const HAS_MAXIMUM = 0x01;

/**
 * The module with every memory's maximum at most `maxPages` (64 KiB each).
 * @throws Error where a memory starts above the limit, is shared or 64-bit, or the sections cannot be read.
 */
export function capMemories(module: Uint8Array, maxPages: number): Uint8Array {
  let offset = PREAMBLE_BYTES;
  while (offset < module.length) {
    const id = module[offset];
    const size = readU32(module, offset + 1);
    const end = size.next + size.value;
    if (end > module.length) throw new Error('a section is longer than the module');
    if (id === MEMORY_SECTION) {
      const section = capSection(module.subarray(size.next, end), maxPages);
      return concat([module.subarray(0, offset + 1), encodeU32(section.length), section, module.subarray(end)]);
    }
    offset = end;
  }
  return module;
}

function capSection(body: Uint8Array, maxPages: number): Uint8Array {
  const count = readU32(body, 0);
  const out: Uint8Array[] = [encodeU32(count.value)];
  let offset = count.next;
  for (let index = 0; index < count.value; index++) {
    const flags = body[offset];
    if (flags !== 0 && flags !== HAS_MAXIMUM) throw new Error('a memory is shared or 64-bit');
    const minimum = readU32(body, offset + 1);
    const maximum = flags === HAS_MAXIMUM ? readU32(body, minimum.next) : { value: maxPages, next: minimum.next };
    if (minimum.value > maxPages) throw new Error('a memory starts above its limit');
    out.push(Uint8Array.of(HAS_MAXIMUM), encodeU32(minimum.value), encodeU32(Math.min(maximum.value, maxPages)));
    offset = maximum.next;
  }
  if (offset !== body.length) throw new Error('the memory section has another length');
  return concat(out);
}

function readU32(bytes: Uint8Array, at: number): { value: number; next: number } {
  let value = 0;
  for (let index = 0; index < 5; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, next: at + index + 1 };
  }
  throw new Error('a number is cut off or too long');
}

function encodeU32(value: number): Uint8Array {
  const out: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    out.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return Uint8Array.from(out);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
