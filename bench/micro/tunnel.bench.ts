import { HEADER_BYTES, PAYLOAD_BYTES_MAX } from "../../src/framing/index.ts";
import { linkPair } from "./link-pair.ts";
import { BATCH_DATAGRAMS, cycle, type Load, type MicroBench } from "./micro-bench.ts";

function ours({ datagrams }: Load): () => unknown {
  const next = cycle(datagrams);
  const pair = linkPair();
  return () => {
    for (let count = 0; count < BATCH_DATAGRAMS; count++) pair.push(next());
    pair.endTick();
    return pair.sent.bytes;
  };
}

/** One write and one read per frame; the rest moves to the front after each frame. */
function naive({ datagrams }: Load): () => unknown {
  const next = cycle(datagrams);
  const frame = new Uint8Array(HEADER_BYTES + PAYLOAD_BYTES_MAX);
  const received = new Uint8Array(2 * (HEADER_BYTES + PAYLOAD_BYTES_MAX));
  let filled = 0;
  let bytes = 0;
  const read = (chunk: Uint8Array) => {
    received.set(chunk, filled);
    filled += chunk.length;
    const length = ((received[0] as number) << 8) | (received[1] as number);
    if (filled < HEADER_BYTES + length) return;
    const payload = received.slice(HEADER_BYTES, HEADER_BYTES + length);
    received.copyWithin(0, HEADER_BYTES + length, filled);
    filled -= HEADER_BYTES + length;
    bytes += payload.length;
  };
  return () => {
    for (let count = 0; count < BATCH_DATAGRAMS; count++) {
      const datagram = next();
      frame[0] = datagram.length >> 8;
      frame[1] = datagram.length;
      frame.set(datagram, HEADER_BYTES);
      read(frame.slice(0, HEADER_BYTES + datagram.length));
    }
    return bytes;
  };
}

export default {
  name: "tunnel",
  about: "32 datagrams through two links joined in memory; naive: framed, written and decoded one by one",
  ours,
  naive,
} satisfies MicroBench;
