/**
 * The addresses and ports of a measurement on this host: loopback addresses that the original can
 * distinguish.
 */

import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import type { Place } from "./relays.ts";
import { portIsOpen } from "./tunnel-pair.ts";

/** Ports from the command line. */
export interface GivenPorts {
  tcp: number;
  client: number;
  server: number;
}

/**
 * Chooses addresses and ports. The original requires that application and relay have the same port, so each
 * application has its own loopback address, and the relay binds the wildcard address.
 *
 * @throws Error with the number of a given port that is in use.
 */
export async function choosePlace(given?: GivenPorts): Promise<Place> {
  if (given !== undefined) {
    for (const [protocol, port] of [
      ["tcp", given.tcp],
      ["udp", given.client],
      ["udp", given.server],
    ] as const) {
      if (portIsOpen("self", protocol, port))
        throw new Error(`${protocol.toUpperCase()} port ${port} is in use`);
    }
  }
  const [first, second] = await freeUdpPorts();
  return {
    serverHost: "127.0.0.1",
    tcpPort: given?.tcp ?? (await freeTcpPort()),
    clientApp: "127.0.0.3",
    serverApp: "127.0.0.2",
    clientPort: given?.client ?? first,
    serverPort: given?.server ?? second,
  };
}

async function freeTcpPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "0.0.0.0", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no TCP port is free");
  return address.port;
}

/** Two different ports: both stay bound until both are known. */
async function freeUdpPorts(): Promise<[number, number]> {
  const sockets = [createSocket("udp4"), createSocket("udp4")] as const;
  await Promise.all(
    sockets.map((socket) => new Promise<void>((resolve) => socket.bind(0, "0.0.0.0", resolve))),
  );
  const ports: [number, number] = [sockets[0].address().port, sockets[1].address().port];
  for (const socket of sockets) socket.close();
  return ports;
}
