/** Where a socket is: an address literal (IPv4, or IPv6 with an optional %zone) and a port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Either Internet Protocol. */
export type Family = 4 | 6;

/** The protocol an address literal belongs to. */
export function familyOf(address: string): Family {
  return address.includes(":") ? 6 : 4;
}

/** Whether two address literals belong to one protocol. */
export function sameFamily(one: string, other: string): boolean {
  return familyOf(unmapped(one)) === familyOf(unmapped(other));
}

/** The literal that stands for all addresses of this host. */
export function anyAddress(family: Family): string {
  return family === 6 ? "::" : "0.0.0.0";
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** The plain IPv4 form of a v4-mapped IPv6 address (RFC 4291, 2.5.5.2); any other address unchanged. */
export function unmapped(address: string): string {
  return MAPPED.exec(address)?.[1] ?? address;
}

/** An address literal less its zone (RFC 4007, 11). */
export function withoutZone(address: string): string {
  const at = address.indexOf("%");
  return at < 0 ? address : address.slice(0, at);
}

/** An endpoint as people read it: `192.0.2.1:5000`, `[2001:db8::1]:5000`. */
export function formatEndpoint({ address, port }: Endpoint): string {
  const plain = unmapped(address);
  return familyOf(plain) === 6 ? `[${plain}]:${port}` : `${plain}:${port}`;
}

/** Whether only this host can reach an address: 127.0.0.0/8 (RFC 1122, 3.2.1.3) or ::1. */
export function isLoopback(address: string): boolean {
  const plain = unmapped(address);
  return plain === "::1" || /^127\./.test(plain);
}
