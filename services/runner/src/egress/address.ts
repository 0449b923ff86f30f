import ipaddr from 'ipaddr.js';

/**
 * Only these IPv6 addresses are routed on the internet. It leaves out, at one stroke, loopback, unspecified, link-local,
 * unique local (with 2 clouds' metadata), mapped and compatible IPv4, and NAT64 of both prefixes.
 */
const GLOBAL_UNICAST_V6 = ipaddr.IPv6.parseCIDR('2000::/3');

/** Answers with a machine's credentials at a routable address (Azure's wire server). Others are link-local or private. */
const METADATA_V4 = '168.63.129.16';

/** Bits of an interface id by which ISATAP carries an IPv4 address (RFC 5214 6.1), universal bit masked out. */
const ISATAP_ID = 0x5efe;

/** Whether a guest may be connected to a resolved address. Only what is certainly public is. */
export function isPublicAddress(address: string): boolean {
  // An address with a zone is local by definition.
  if (address.includes('%') || !ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.kind() === 'ipv4') {
    // Four full decimal parts only: what else the parser reads was not made by a resolver.
    return parsed.toString() === address && parsed.range() === 'unicast' && address !== METADATA_V4;
  }
  const v6 = parsed as ipaddr.IPv6;
  // `range` names 6to4, Teredo, documentation and the other tunnels within 2000::/3.
  if (!v6.match(GLOBAL_UNICAST_V6) || v6.range() !== 'unicast') return false;
  return !((v6.parts[4] ?? 0) % 0x200 === 0 && v6.parts[5] === ISATAP_ID);
}
