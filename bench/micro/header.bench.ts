import { encodeFrame } from "../../src/framing/index.ts";
import { BATCH_DATAGRAMS, type Contender, cycle, type MicroBench } from "./micro-bench.ts";

const framing =
  (frame: (datagram: Uint8Array) => Uint8Array): Contender =>
  ({ datagrams }) => {
    const next = cycle(datagrams);
    return () => {
      let sum = 0;
      for (let count = 0; count < BATCH_DATAGRAMS; count++) {
        const framed = frame(next());
        sum += (framed[1] as number) + (framed[framed.length - 1] as number);
      }
      return sum;
    };
  };

function naiveFrame(datagram: Uint8Array): Uint8Array {
  const header = Buffer.alloc(2);
  header.writeUInt16BE(datagram.length);
  return Buffer.concat([header, datagram]);
}

export default {
  name: "header",
  about: "one datagram framed; naive: a separate header, concatenated",
  ours: framing(encodeFrame),
  naive: framing(naiveFrame),
} satisfies MicroBench;
