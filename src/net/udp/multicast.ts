/** Multicast on Bun's UDP sockets, with what Bun 1.4.5 keeps silent about made loud. */

import type { MulticastMembership, MulticastSending, NetworkInterface } from "../datagram-port.ts";
import { type Family, familyOf } from "../endpoint.ts";
import { NetError } from "../network.ts";

type Socket = Bun.udp.BaseUDPSocket;

/** Joins `group`. @throws the operating system's error. */
export function join(socket: Socket, group: string, membership: MulticastMembership): void {
  const on = interfaceText(familyOf(group), membership.interface);
  if (membership.sources.length === 0) socket.addMembership(group, on);
  for (const source of membership.sources) socket.addSourceSpecificMembership(source, group, on);
}

/**
 * Sets how the socket sends to groups.
 *
 * @param setTtlZero sets a TTL of 0, which Bun 1.4.5 refuses though the kernel does not.
 * @throws NetError EINVAL, ENODEV; the operating system's errors.
 */
export function prepareSending(
  socket: Socket,
  family: Family,
  sending: MulticastSending,
  setTtlZero: () => string | undefined,
): void {
  const on = interfaceText(family, sending.interface);
  // It answers false where it should throw.
  if (on !== undefined && !socket.setMulticastInterface(on)) {
    throw new NetError("ENODEV", `cannot send multicast on interface ${on}`);
  }
  socket.setMulticastLoopback(sending.loop);
  if (sending.ttl > 0) {
    socket.setMulticastTTL(sending.ttl);
  } else {
    const refusal = setTtlZero();
    if (refusal !== undefined) throw new NetError(refusal, `cannot set a multicast TTL of 0: ${refusal}`);
  }
}

/**
 * The interface as Bun wants it: by address for IPv4, `::%name` for IPv6. Anything else it silently ignores.
 */
function interfaceText(family: Family, at: NetworkInterface | undefined): string | undefined {
  if (at === undefined) return undefined;
  if (family === 6) return `::%${at.name}`;
  if (at.address4 === undefined) throw new NetError("ENODEV", `interface ${at.name} has no IPv4 address`);
  return at.address4;
}
