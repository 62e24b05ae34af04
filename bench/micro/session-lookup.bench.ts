import { SourceMap } from "../../src/tunnel/session/session-client.ts";
import { BATCH_DATAGRAMS, cycle, type MicroBench } from "./micro-bench.ts";

const SOURCES = 1000;

/** Addresses and ports as datagrams bring them: a new string each time. */
function sources() {
  return Array.from({ length: SOURCES }, (_, index) => ({
    address: () => `10.0.${index >> 8}.${index & 255}`,
    port: 1024 + ((index * 7919) % 60_000),
  }));
}

function ours(): () => unknown {
  const map = new SourceMap<number>();
  const all = sources();
  for (const [index, { address, port }] of all.entries()) map.set(address(), port, index);
  const next = cycle(all);
  return () => {
    let found = 0;
    for (let count = 0; count < BATCH_DATAGRAMS; count++) {
      const { address, port } = next();
      found += map.get(address(), port) ?? 0;
    }
    return found;
  };
}

function naive(): () => unknown {
  const map = new Map<string, number>();
  const all = sources();
  for (const [index, { address, port }] of all.entries()) map.set(`${address()}:${port}`, index);
  const next = cycle(all);
  return () => {
    let found = 0;
    for (let count = 0; count < BATCH_DATAGRAMS; count++) {
      const { address, port } = next();
      found += map.get(`${address()}:${port}`) ?? 0;
    }
    return found;
  };
}

export default {
  name: "session-lookup",
  about: "1,000 sources found by address and port; naive: by one string of both",
  ours,
  naive,
} satisfies MicroBench;
