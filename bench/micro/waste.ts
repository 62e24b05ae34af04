/**
 * Sends a million datagrams through a tunnel in memory. Prints the time and the heap growth per datagram:
 *
 *     bun bench/micro/waste.ts [--datagrams 1000000]
 *
 * Exits with 1 when the heap has grown by more than the limit: the data path must keep nothing per datagram.
 */

import { heapStats } from "bun:jsc";
import { parseArgs } from "node:util";
import { linkPair } from "./link-pair.ts";

/** Allowed growth of the heap per datagram, after garbage collection, in bytes. */
const GROWTH_BYTES_MAX = 1;
const PAYLOAD_BYTES = 172;
const TICK_DATAGRAMS = 64;

const { values } = parseArgs({ options: { datagrams: { type: "string", default: "1000000" } } });
const datagrams = Number(values.datagrams);
const pair = linkPair();
const payload = new Uint8Array(PAYLOAD_BYTES).fill(7);

push(Math.min(datagrams, 200_000)); // so that the compiler's memory has grown already
const before = heapBytes();
const start = Bun.nanoseconds();
push(datagrams);
const ns = (Bun.nanoseconds() - start) / datagrams;
const growth = (heapBytes() - before) / datagrams;
if (pair.sent.datagrams !== pair.counters.outbound.received) throw new Error("datagrams were lost");
process.stdout.write(
  `${datagrams} datagrams of ${PAYLOAD_BYTES} bytes: ${ns.toFixed(0)} ns each, ` +
    `${growth.toFixed(3)} bytes of heap growth each (limit: ${GROWTH_BYTES_MAX})\n`,
);
process.exit(growth > GROWTH_BYTES_MAX ? 1 : 0);

function push(datagrams: number): void {
  for (let pushed = 0; pushed < datagrams; pushed += TICK_DATAGRAMS) {
    for (let count = 0; count < TICK_DATAGRAMS; count++) pair.push(payload);
    pair.endTick();
  }
}

function heapBytes(): number {
  Bun.gc(true);
  return heapStats().heapSize;
}
