/**
 * TCP clients of a per-source server that send frames as fast as the server reads them. They run in a process
 * of their own:
 *
 *     bun bench/e2e/flooding-peers-program.ts PORT COUNT [FRAME BYTES]
 */

import { writeSync } from "node:fs";

/** Each write takes at least this many bytes, in whole frames. */
const FLOOD_BYTES_MIN = 100_000;

const [port = 0, count = 0, bytes = 8] = process.argv.slice(2).map(Number);
const frame = Buffer.alloc(2 + bytes);
frame.writeUInt16BE(bytes);
const FLOOD = new Uint8Array(Buffer.alloc(Math.ceil(FLOOD_BYTES_MIN / frame.length) * frame.length, frame));

/** Writes until the socket is full. `at` is the position in FLOOD. */
function fill(socket: Bun.Socket<{ at: number }>): void {
  for (;;) {
    const { data } = socket;
    const taken = socket.write(FLOOD, data.at, FLOOD.length - data.at);
    if (taken <= 0) return;
    data.at = (data.at + taken) % FLOOD.length;
  }
}

const handlers = { data() {}, drain: fill, error() {} };
const sockets = await Promise.all(
  Array.from({ length: count }, () =>
    Bun.connect({ hostname: "127.0.0.1", port, data: { at: 0 }, socket: handlers }),
  ),
);
for (const socket of sockets) fill(socket);
writeSync(2, `${JSON.stringify({ type: "flooding" })}\n`);
