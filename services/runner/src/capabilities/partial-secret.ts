// Redaction finds whole values. Where text was cut, or has not all arrived yet, a value may stand at its edge in part (I3).

/** A part that is shorter says nothing; the shortest value that redaction knows has as many. */
const MIN_CHARS = 6;

/** Index at which the text ends in the beginning of one of the values; the text's length where it does not. */
export function partialTail(text: string, values: Iterable<string>): number {
  let from = text.length;
  for (const value of values) {
    if (value.length <= MIN_CHARS) continue;
    const head = value.slice(0, MIN_CHARS);
    let at = text.indexOf(head, Math.max(0, text.length - value.length + 1));
    while (at !== -1 && at < from && !value.startsWith(text.slice(at))) at = text.indexOf(head, at + 1);
    if (at !== -1) from = Math.min(from, at);
  }
  return from;
}

/** Index up to which the text begins with the end of one of the values; 0 where it does not. */
export function partialHead(text: string, values: Iterable<string>): number {
  let upTo = 0;
  for (const value of values) {
    if (value.length <= MIN_CHARS) continue;
    const tail = value.slice(-MIN_CHARS);
    let at = text.lastIndexOf(tail, value.length - MIN_CHARS - 1);
    while (at !== -1 && !value.endsWith(text.slice(0, at + MIN_CHARS)))
      at = at === 0 ? -1 : text.lastIndexOf(tail, at - 1);
    if (at !== -1) upTo = Math.max(upTo, at + MIN_CHARS);
  }
  return upTo;
}
