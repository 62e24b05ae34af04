/**
 * Pushes a million datagrams through a tunnel in memory and says what each costs and leaves behind:
 *
 *     bun bench/micro/waste.ts [--datagrams 1000000]
 *
 * Exits 1 when the heap has grown by more than the bound: the data path keeps nothing per datagram.
 */

import { heapStats } from "bun:jsc";
import { parseArgs } from "node:util";
import { linkPair } from "./link-pair.ts";

/** Bytes of heap a datagram may leave behind, after collection. */
const GROWTH_BYTES_MAX = 1;
const PAYLOAD_BYTES = 172;
const TURN_DATAGRAMS = 64;

const { values } = parseArgs({ options: { datagrams: { type: "string", default: "1000000" } } });
const datagrams = Number(values.datagrams);
const pair = linkPair();
const payload = new Uint8Array(PAYLOAD_BYTES).fill(7);

push(Math.min(datagrams, 200_000)); // the compiler's share of the heap comes first
const before = heapBytes();
const start = Bun.nanoseconds();
push(datagrams);
const ns = (Bun.nanoseconds() - start) / datagrams;
const growth = (heapBytes() - before) / datagrams;
if (pair.left.datagrams !== pair.counters.outbound.received)
  throw new Error("datagrams were lost on the way");
process.stdout.write(
  `${datagrams} datagrams of ${PAYLOAD_BYTES} bytes: ${ns.toFixed(0)} ns each, ` +
    `${growth.toFixed(3)} bytes of heap left by each (bound: ${GROWTH_BYTES_MAX})\n`,
);
process.exit(growth > GROWTH_BYTES_MAX ? 1 : 0);

function push(count: number): void {
  for (let pushed = 0; pushed < count; pushed += TURN_DATAGRAMS) {
    for (let turn = 0; turn < TURN_DATAGRAMS; turn++) pair.push(payload);
    pair.endTurn();
  }
}

function heapBytes(): number {
  Bun.gc(true);
  return heapStats().heapSize;
}
