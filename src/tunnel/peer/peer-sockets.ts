/**
 * The UDP sockets at one local address in peer mode.
 *
 *   unicast     one socket, bound to the target's port, receives and sends: media programs expect that
 *   multicast   one socket, bound to the group, receives; another one sends from an ephemeral port, so that
 *               datagrams of this tunnel are recognized when they return from the group
 *   broadcast   as unicast, and the system chooses the source address
 *   one-way     only the socket that is needed
 */

import type { DatagramPort, DatagramReceiver, NetworkInterface } from "../../net/datagram-port.ts";
import { anyAddress, type Endpoint, type Family, familyOf, isMulticast } from "../../net/endpoint.ts";
import type { Network } from "../../net/network.ts";
import type { Settings } from "../../options/settings.ts";
import { existingInterface, interfaceOf } from "../target/target-interface.ts";

/** The default of UDPTunnel 1.1. */
const MULTICAST_TTL = 1;

export interface PeerSockets {
  readonly family: Family;
  /** The bound address: of the socket that receives, if there is one. */
  readonly local: Endpoint;
  /** Each socket once. */
  readonly ports: readonly DatagramPort[];
  close(): void;
  /** Undefined when the tunnel only sends. */
  readonly receive: DatagramPort | undefined;
  /** Undefined when the tunnel only receives. May be the same socket as `receive`. */
  readonly send: DatagramPort | undefined;
  /** The source port of this tunnel's datagrams; 0 when they cannot return to it. */
  readonly ownPort: number;
}

/**
 * Opens the sockets.
 *
 * @param broadcast whether the target is a broadcast address.
 * @param receiver gets the datagrams to relay.
 * @param sendOnlyReceiver gets the datagrams that arrive at a socket that only sends.
 * @throws NetError when an address cannot be bound, a group not joined, or an interface does not exist.
 */
export function openPeerSockets(
  network: Network,
  settings: Settings,
  target: Endpoint,
  broadcast: boolean,
  receiver: DatagramReceiver,
  sendOnlyReceiver: DatagramReceiver,
): PeerSockets {
  if (isMulticast(target.address))
    return openMulticast(network, settings, target, receiver, sendOnlyReceiver);
  return openUnicast(network, settings, target, broadcast, receiver, sendOnlyReceiver);
}

function openUnicast(
  network: Network,
  { bind, udpSendOnly, udpReceiveOnly }: Settings,
  target: Endpoint,
  broadcast: boolean,
  receiver: DatagramReceiver,
  sendOnlyReceiver: DatagramReceiver,
): PeerSockets {
  const family = familyOf(target.address);
  const address = bind ?? anyAddress(family);
  if (udpSendOnly) {
    // Not connected: the kernel would keep the source address, though the host may get another one.
    const options = { bind: { address, port: 0 }, oneTarget: true, broadcast };
    return socketsOf(family, undefined, network.openDatagramPort(options, sendOnlyReceiver), 0);
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
  sendOnlyReceiver: DatagramReceiver,
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
    const options = { bind: { address, port: 0 }, oneTarget: true, multicast };
    const send = network.openDatagramPort(options, sendOnlyReceiver);
    return socketsOf(family, receive, send, send.local.port);
  } catch (error) {
    receive?.close();
    throw error;
  }
}

function interfaceFor(network: Network, settings: Settings, group: Endpoint): NetworkInterface | undefined {
  const nameOrAddress = interfaceOf(settings, group);
  return nameOrAddress === undefined ? undefined : existingInterface(network, nameOrAddress);
}
