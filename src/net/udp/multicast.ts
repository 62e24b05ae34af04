/** Multicast on Bun's UDP sockets. Reports failures that Bun 1.4.5 ignores. */

import type { MulticastMembership, MulticastSending, NetworkInterface } from "../datagram-port.ts";
import { type Family, familyOf } from "../endpoint.ts";
import { NetError } from "../network.ts";

type Socket = Bun.udp.BaseUDPSocket;

/** Joins a group. @throws the operating system's error. */
export function join(socket: Socket, group: string, membership: MulticastMembership): void {
  const on = interfaceArgument(familyOf(group), membership.interface);
  if (membership.sources.length === 0) socket.addMembership(group, on);
  for (const source of membership.sources) socket.addSourceSpecificMembership(source, group, on);
}

/**
 * Sets how a socket sends to multicast groups.
 *
 * @param setTtlZero sets a TTL of 0, which Bun 1.4.5 rejects although the kernel allows it.
 * @throws NetError EINVAL or ENODEV, or an error of the operating system.
 */
export function prepareSending(
  socket: Socket,
  family: Family,
  sending: MulticastSending,
  setTtlZero: () => string | undefined,
): void {
  const on = interfaceArgument(family, sending.interface);
  // Bun returns false where it should throw.
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

/** The interface as Bun takes it: its IPv4 address, or `::%name` for IPv6. Bun ignores any other form. */
function interfaceArgument(family: Family, on: NetworkInterface | undefined): string | undefined {
  if (on === undefined) return undefined;
  if (family === 6) return `::%${on.name}`;
  if (on.address4 === undefined) throw new NetError("ENODEV", `interface ${on.name} has no IPv4 address`);
  return on.address4;
}
