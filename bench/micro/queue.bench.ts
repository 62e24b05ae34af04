import { openSync, writeSync } from "node:fs";
import { devNull } from "node:os";
import { FrameQueue, HEADER_BYTES, PAYLOAD_BYTES_MAX } from "../../src/framing/index.ts";
import { BATCH_DATAGRAMS, cycle, type Load, type MicroBench } from "./micro-bench.ts";

// A write to the null device is the cheapest system call. A TCP write costs many times more, so the ratio
// shown is the least that one write per batch gains.
const sink = openSync(devNull, "w");

function ours({ datagrams }: Load): () => unknown {
  const next = cycle(datagrams);
  const queue = new FrameQueue({ bytesMax: 4 * 1024 * 1024, framesMax: Infinity, bytesInitial: 0 });
  let now = 0;
  return () => {
    for (let count = 0; count < BATCH_DATAGRAMS; count++) queue.push(next(), now++);
    let written = 0;
    while (queue.bytes > 0) {
      const view = queue.peek(65_536);
      written += writeSync(sink, view);
      queue.consume(view.length);
    }
    return written;
  };
}

function naive({ datagrams }: Load): () => unknown {
  const next = cycle(datagrams);
  const frame = new Uint8Array(HEADER_BYTES + PAYLOAD_BYTES_MAX);
  return () => {
    let written = 0;
    for (let count = 0; count < BATCH_DATAGRAMS; count++) {
      const datagram = next();
      frame[0] = datagram.length >> 8;
      frame[1] = datagram.length;
      frame.set(datagram, HEADER_BYTES);
      written += writeSync(sink, frame, 0, HEADER_BYTES + datagram.length);
    }
    return written;
  };
}

export default {
  name: "queue",
  about: "32 datagrams queued, then written to the null device together; naive: one write per datagram",
  ours,
  naive,
} satisfies MicroBench;
