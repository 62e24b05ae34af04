/**
 * The UDP sockets of a link in peer mode.
 *
 *   unicast     one socket for each local address, bound to the target's port, receives and sends, which media programs
 *               expect
 *   multicast   one socket bound to the group receives; a second one on a passing port sends, so that what comes
 *               back of our own can be told apart
 *   broadcast   as unicast, and the system chooses the source address
 *   one-way     only the socket that is needed
 */

import type { DatagramPort, DatagramReceiver, NetworkInterface } from "../../net/datagram-port.ts";
import { anyAddress, type Endpoint, type Family, familyOf, isMulticast } from "../../net/endpoint.ts";
import type { Network } from "../../net/network.ts";
import type { Settings } from "../../options/settings.ts";
import { existingInterface, interfaceOf } from "../target/target-interface.ts";

/** The original's default. */
const MULTICAST_TTL = 1;

export interface PeerSockets {
  /** The family of the sockets. */
  readonly family: Family;
  /** The bound address: of the socket that receives, if there is one. */
  readonly local: Endpoint;
  /** Each of them once. */
  readonly ports: readonly DatagramPort[];
  close(): void;
  /** Undefined when nothing is to be received. */
  readonly receive: DatagramPort | undefined;
  /** Undefined when nothing is to be sent. May be the same as `receive`. */
  readonly send: DatagramPort | undefined;
  /** The port our datagrams come from; 0 when they cannot come back to us. */
  readonly ownPort: number;
}

/**
 * Opens them.
 *
 * @param broadcast whether the target is a broadcast address.
 * @param receiver told of what may be relayed.
 * @param deaf told of what reaches a socket that only sends.
 * @throws NetError when an address cannot be bound, a group not joined, or an interface does not exist.
 */
export function openPeerSockets(
  network: Network,
  settings: Settings,
  target: Endpoint,
  broadcast: boolean,
  receiver: DatagramReceiver,
  deaf: DatagramReceiver,
): PeerSockets {
  if (isMulticast(target.address)) return openMulticast(network, settings, target, receiver, deaf);
  return openUnicast(network, settings, target, broadcast, receiver, deaf);
}

function openUnicast(
  network: Network,
  { bind, udpSendOnly, udpReceiveOnly }: Settings,
  target: Endpoint,
  broadcast: boolean,
  receiver: DatagramReceiver,
  deaf: DatagramReceiver,
): PeerSockets {
  const family = familyOf(target.address);
  const address = bind ?? anyAddress(family);
  if (udpSendOnly) {
    // Not connected: the kernel would keep the source address, though the host may get another.
    const options = { bind: { address, port: 0 }, oneTarget: true, broadcast };
    return socketsOf(family, undefined, network.openDatagramPort(options, deaf), 0);
  }
  const options = { bind: { address, port: target.port }, shared: true, oneTarget: true, broadcast };
  const port = network.openDatagramPort(options, receiver);
  return socketsOf(family, port, udpReceiveOnly ? undefined : port, target.port);
}

/** @param ownPort see {@link PeerSockets}. At least one of the two sockets is given. */
function socketsOf(
  family: Family,
  receive: DatagramPort | undefined,
  send: DatagramPort | undefined,
  ownPort: number,
): PeerSockets {
  const { local } = (receive ?? send) as DatagramPort;
  const ports = [...new Set([receive, send])].filter((port) => port !== undefined);
  const close = () => {
    for (const port of ports) port.close();
  };
  return { family, local, ports, close, receive, send, ownPort };
}

function openMulticast(
  network: Network,
  settings: Settings,
  group: Endpoint,
  receiver: DatagramReceiver,
  deaf: DatagramReceiver,
): PeerSockets {
  const { udpSendOnly, udpReceiveOnly, loop, source: sources, bind } = settings;
  const family = familyOf(group.address);
  const on = interfaceFor(network, settings, group);
  let receive: DatagramPort | undefined;
  if (!udpSendOnly) {
    const options = { bind: group, shared: true, join: { interface: on, sources } };
    receive = network.openDatagramPort(options, receiver);
  }
  if (udpReceiveOnly) return socketsOf(family, receive, undefined, 0);
  const ttl = settings.target.ttl ?? MULTICAST_TTL;
  const multicast = { interface: on, ttl, loop };
  const address = bind ?? anyAddress(family);
  try {
    const send = network.openDatagramPort({ bind: { address, port: 0 }, oneTarget: true, multicast }, deaf);
    return socketsOf(family, receive, send, send.local.port);
  } catch (error) {
    receive?.close();
    throw error;
  }
}

function interfaceFor(network: Network, settings: Settings, group: Endpoint): NetworkInterface | undefined {
  const wanted = interfaceOf(settings, group);
  return wanted === undefined ? undefined : existingInterface(network, wanted);
}
