import fc from 'fast-check';
import { isPublicAddress } from './address.ts';

describe('isPublicAddress', () => {
  it.each([
    '8.8.8.8',
    '1.1.1.1',
    '172.15.255.255',
    '172.32.0.1',
    '100.63.255.255',
    '2606:4700::1111',
    '2a00:1450:4001::1',
  ])('takes %s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it.each([
    ['loopback', '127.0.0.1'],
    ['loopback, another', '127.255.255.254'],
    ['unspecified', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['private', '192.168.1.1'],
    ['link-local, metadata', '169.254.169.254'],
    ['container credentials', '169.254.170.2'],
    ['carrier NAT', '100.64.0.1'],
    ['Alibaba metadata', '100.100.100.200'],
    ['Oracle metadata', '192.0.0.192'],
    ['Azure wire server', '168.63.129.16'],
    ['documentation', '192.0.2.1'],
    ['benchmarking', '198.18.0.1'],
    ['6to4 relay', '192.88.99.1'],
    ['multicast', '224.0.0.1'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['odd form', '0177.0.0.1'],
    ['odd form', '127.1'],
    ['odd form', '2130706433'],
    ['odd form', '0x7f000001'],
    ['odd form of a public one', '8.8.2056'],
    ['v6 loopback', '::1'],
    ['v6 unspecified', '::'],
    ['v6 link-local', 'fe80::1'],
    ['v6 link-local with zone', 'fe80::1%eth0'],
    ['v6 public with zone', '2606:4700::1111%eth0'],
    ['unique local, AWS metadata', 'fd00:ec2::254'],
    ['unique local, GCP metadata', 'fd20:ce::254'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
    ['mapped loopback', '::ffff:127.0.0.1'],
    ['mapped public', '::ffff:8.8.8.8'],
    ['compatible', '::127.0.0.1'],
    ['translated', '::ffff:0:127.0.0.1'],
    ['NAT64', '64:ff9b::7f00:1'],
    ['local NAT64', '64:ff9b:1::a00:1'],
    ['6to4', '2002:7f00:1::'],
    ['Teredo', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
    ['documentation', '2001:db8::1'],
    ['ISATAP', '2606:4700::5efe:a00:1'],
    ['ISATAP, universal', '2606:4700::200:5efe:a00:1'],
    ['discard', '100::1'],
    ['not an address', 'localhost'],
    ['empty', ''],
  ])('refuses %s: %s', (_kind, address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it('refuses every IPv6 spelling of a private IPv4 address', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(octet, octet, octet, (b, c, d) => {
        for (const prefix of ['::ffff:', '::', '64:ff9b::', '::ffff:0:']) {
          expect(isPublicAddress(`${prefix}10.${b}.${c}.${d}`)).toBe(false);
        }
      }),
    );
  });
});
