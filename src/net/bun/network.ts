/** The {@link HostNetwork} of this process: sockets of Bun, the system's resolver and clock. */

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { systemClock } from "../clock.ts";
import { anyAddress, type Endpoint, type Family, familyOf, formatEndpoint } from "../endpoint.ts";
import { errorCode, type HostNetwork, NetError, type SystemReport } from "../network.ts";
import { pendingMax } from "../pending-limiter.ts";
import type { SocketOptions, SystemSockets } from "../system-sockets.ts";
import type { Certificates } from "../tls/certificates.ts";
import {
  broadcastNetworks,
  findInterface,
  linkLocalInterfaces,
  localAddresses,
} from "../udp/host-addresses.ts";
import { BunDatagramPort } from "./datagram-port.ts";
import { dial } from "./dial.ts";
import { listen, listenTls } from "./listen.ts";
import { fdOf } from "./stream-port.ts";

/**
 * Opens the network for one tunnel.
 *
 * @param options apply to all its sockets.
 * @param certificates with these, every TCP connection uses TLS.
 * @throws NetError ENOTSUP when an option needs Linux.
 */
export async function openBunNetwork(
  options: SocketOptions,
  certificates?: Certificates,
): Promise<HostNetwork> {
  const system = await openSystemSockets(options);
  if (system === undefined) rejectLinuxOptions(options);
  const ipv6Only = options.family === 6;
  return {
    clock: systemClock,
    random: Math.random,
    resolve,
    openDatagramPort: (options, receiver) => new BunDatagramPort(options, receiver, system, ipv6Only),
    findInterface(nameOrAddress) {
      const found = findInterface(nameOrAddress);
      const index = found && system?.interfaceIndex(found.name);
      return found && index !== undefined ? { ...found, id: String(index) } : found;
    },
    broadcastNetworks: (address) => broadcastNetworks(address),
    linkLocalInterfaces: () => linkLocalInterfaces(),
    localAddresses,
    sourceAddressTo: (target) => sourceAddressTo(target, system),
    descriptorLimit() {
      const limit = system?.descriptorLimit() ?? Infinity;
      return certificates === undefined ? limit : limit - pendingMax(limit);
    },
    watchSystem: (onReport) => watchSystem(system, options, onReport),
    dial: (to) => dial(to, system, certificates),
    listen: (at, onStream, acceptPolicy) =>
      certificates === undefined
        ? listen(at, onStream, { system, acceptPolicy, ipv6Only })
        : listenTls(at, onStream, { system, acceptPolicy, ipv6Only, certificates }),
  };
}

function watchSystem(
  system: SystemSockets | undefined,
  { socketBufferBytes }: SocketOptions,
  onReport: (report: SystemReport) => void,
): void {
  if (system === undefined)
    return onReport({ segmentOffload: false, offloadOffReason: "not on this system", socketBufferBytes });
  let changed = false;
  system.onReportChanged = () => {
    if (changed) return;
    changed = true;
    systemClock.endOfTick(() => {
      changed = false;
      onReport(system.report);
    });
  };
  onReport(system.report);
}

/** Loads the Linux code only on Linux. */
async function openSystemSockets(options: SocketOptions): Promise<SystemSockets | undefined> {
  if (process.platform !== "linux") return undefined;
  const { LinuxSockets } = await import("../linux/linux-sockets.ts");
  return LinuxSockets.open(options);
}

/** Ignoring one of these options would send packets by the wrong route. */
function rejectLinuxOptions({ mark, tos, tcpBind }: SocketOptions): void {
  const options = { "a packet mark": mark, "a traffic class": tos, "a local address for TCP": tcpBind };
  for (const [what, value] of Object.entries(options)) {
    if (value !== undefined) throw new NetError("ENOTSUP", `${what} needs Linux: leave this option out`);
  }
}

/** Resolves a host name with the system's resolver. A literal resolves to itself. @throws NetError. */
export async function resolve(host: string, family: Family | undefined): Promise<string[]> {
  if (isIP(host)) return [host];
  try {
    const found = await lookup(host, { all: true, verbatim: true, family: family ?? 0 });
    return found.map(({ address }) => address);
  } catch (error) {
    const code = errorCode(error);
    throw new NetError(code, `cannot resolve ${host}: ${code}`, error);
  }
}

const NO_DESCRIPTOR = new Set(["EMFILE", "ENFILE"]);

/** Asks the routing table: connects a UDP socket, which sends nothing, and reads its local address. */
function sourceAddressTo(target: Endpoint, system: SystemSockets | undefined): string | undefined {
  const family = familyOf(target.address);
  const connect = { hostname: target.address, port: target.port };
  try {
    // A mark may choose the route. With `system` the socket is therefore connected after it was prepared.
    const options = { hostname: anyAddress(family), ...(system === undefined && { connect }) };
    const socket = Bun.peek(Bun.udpSocket(options)) as Bun.udp.Socket<"buffer">;
    try {
      const fd = fdOf(socket);
      system?.prepareDatagramSocket(fd, false, false);
      system?.connectDatagramSocket(fd, target, family);
      return socket.address.address;
    } finally {
      socket.close();
    }
  } catch (error) {
    const code = errorCode(error);
    if (code === "UNKNOWN") throw error;
    if (NO_DESCRIPTOR.has(code))
      throw new NetError(code, `cannot find the route to ${formatEndpoint(target)}: ${code}`, error);
    return undefined;
  }
}
