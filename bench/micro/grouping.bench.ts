import { groupEnd } from "../../src/net/linux/segment-groups.ts";
import { BATCH_DATAGRAMS, type Load, type MicroBench } from "./micro-bench.ts";

/** The lengths of a batch in a typed array, as on the data path. */
function ours({ datagrams }: Load): () => unknown {
  const lengths = Int32Array.from(datagrams, (datagram) => datagram.length);
  let from = 0;
  return () => {
    if (from + BATCH_DATAGRAMS > lengths.length) from = 0;
    let groups = 0;
    const to = from + Math.min(BATCH_DATAGRAMS, lengths.length - from);
    for (let next = from; next < to; next = groupEnd(lengths, next, to)) groups++;
    from = to;
    return groups;
  };
}

/** Groups as arrays of arrays. */
function naive({ datagrams }: Load): () => unknown {
  let from = 0;
  return () => {
    if (from + BATCH_DATAGRAMS > datagrams.length) from = 0;
    const groups: Uint8Array[][] = [];
    for (const datagram of datagrams.slice(from, from + BATCH_DATAGRAMS)) {
      const last = groups.at(-1);
      if (last !== undefined && last[0]?.length === datagram.length && last.length < 64) last.push(datagram);
      else groups.push([datagram]);
    }
    from += BATCH_DATAGRAMS;
    return groups.length;
  };
}

export default {
  name: "grouping",
  about: "32 datagrams grouped by length for segment offload; naive: into arrays",
  ours,
  naive,
} satisfies MicroBench;
