/** The real {@link Network}: Bun's sockets, the system's resolver and clock. */

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { BunDatagramPort } from "./bun-datagram-port.ts";
import { dialBun, listenBun } from "./bun-stream-port.ts";
import { systemClock } from "./clock.ts";
import type { DatagramReceiver } from "./datagram-port.ts";
import { type Endpoint, type Family, familyOf } from "./endpoint.ts";
import { findInterface } from "./multicast.ts";
import { errorCode, NetError, type Network } from "./network.ts";

const deaf: DatagramReceiver = { onDatagram() {}, onError() {} };

export const bunNetwork: Network = {
  clock: systemClock,
  random: Math.random,
  resolve,
  openDatagramPort: (options, receiver) => new BunDatagramPort(options, receiver),
  findInterface,
  sourceAddressTo,
  dial: dialBun,
  listen: listenBun,
};

async function resolve(host: string, family: Family | undefined): Promise<string[]> {
  if (isIP(host)) return [host];
  try {
    const found = await lookup(host, { all: true, verbatim: true, family: family ?? 0 });
    return found.map(({ address }) => address);
  } catch (error) {
    const code = errorCode(error);
    throw new NetError(code, `cannot resolve ${host}: ${code}`, error);
  }
}

/** A connected UDP socket has asked the routing table, and sends nothing. */
function sourceAddressTo(target: Endpoint): string | undefined {
  const any = familyOf(target.address) === 6 ? "::" : "0.0.0.0";
  try {
    const probe = new BunDatagramPort({ bind: { address: any, port: 0 }, connect: target }, deaf);
    probe.close();
    return probe.local.address;
  } catch {
    return undefined;
  }
}
