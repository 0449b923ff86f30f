/** Headers that speak about one connection, not about the message (RFC 9110 section 7.6.1), and the framing, which each hop makes anew. */
const HOP_BY_HOP = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Says which lower-case names stop here, given the values of the message's `connection` headers, which may name more. */
export function hopByHop(connectionValues: readonly string[]): (name: string) => boolean {
  const named = new Set(connectionValues.flatMap((value) => value.split(',').map((name) => name.trim().toLowerCase())));
  return (name) => HOP_BY_HOP.has(name) || named.has(name);
}
