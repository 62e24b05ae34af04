/**
 * A target in its own process. It echoes a datagram that starts with "q". After an "f" it floods the sender,
 * until the sender's next datagram. It prints its port on stderr.
 */

import { writeSync } from "node:fs";

const PAYLOAD = new Uint8Array(1200);
const FLOOD_INTERVAL_MS = 2;
/** For each flooded port, 20,000 datagrams a second. */
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
