/**
 * A target, run as a program of its own: echoes a datagram that opens with "q", and floods who sends "f" until it
 * sends again. Says its port on stderr.
 */

import { writeSync } from "node:fs";

const PAYLOAD = new Uint8Array(1200);
const FLOOD_INTERVAL_MS = 2;
/** 20,000 datagrams a second to each. */
const FLOOD_DATAGRAMS = 40;

const flooded = new Map<number, string>();

const socket = await Bun.udpSocket({
  hostname: "127.0.0.1",
  binaryType: "buffer",
  socket: {
    data(_socket, payload, port, address) {
      if (payload[0] === "q".charCodeAt(0)) socket.send(payload, port, address);
      else if (!flooded.delete(port)) flooded.set(port, address);
    },
    error() {},
  },
});

setInterval(() => {
  for (const [port, address] of flooded) {
    for (let n = 0; n < FLOOD_DATAGRAMS; n++) socket.send(PAYLOAD, port, address);
  }
}, FLOOD_INTERVAL_MS);

writeSync(2, `port ${socket.port}\n`);
