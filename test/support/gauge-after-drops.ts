/**
 * Sends 1 MiB to itself over TCP. When all is acknowledged it prints the kernel's figures for the connection.
 */

import { fdOf } from "../../src/net/bun/stream-port.ts";
import { openLibc } from "../../src/net/linux/libc.ts";
import { LinuxStreamGauge } from "../../src/net/linux/linux-stream-gauge.ts";
import { until } from "./until.ts";

const BYTES = new Uint8Array(1 << 20);
let [written, received] = [0, 0];

function write(socket: Bun.Socket): void {
  let taken = 1;
  for (; written < BYTES.length && taken > 0; written += taken)
    taken = Math.max(0, socket.write(BYTES, written, BYTES.length - written));
}

const listener = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    data(_socket, { length }) {
      received += length;
    },
  },
});
const client = await Bun.connect({
  hostname: "127.0.0.1",
  port: listener.port,
  socket: { open: write, drain: write, data() {} },
});
const libc = openLibc();
if (libc === undefined) throw new Error("not on Linux");
const gauge = new LinuxStreamGauge(libc);
const read = () => gauge.read(fdOf(client));
await until("all to arrive", () => received === BYTES.length);
await until("all to be acknowledged", () => read() && gauge.unackedBytes === 0);
const { unackedBytes, unsentBytes, outstandingBytes, inFlightBytes, retransmits } = gauge;
const figures = { unackedBytes, unsentBytes, outstandingBytes, inFlightBytes, retransmits };
process.stderr.write(`${JSON.stringify(figures)}\n`);
client.terminate();
listener.stop(true);
