import { expect } from "bun:test";
import type { Tunnel } from "../../src/index.ts";

/** Asserts that every lost datagram is counted: received = sent + dropped + held, in both directions. */
export function expectConserved(...tunnels: readonly Tunnel[]): void {
  for (const { counters, held } of tunnels) {
    for (const direction of ["outbound", "inbound"] as const) {
      const { received, sent, droppedTotal, dropped } = counters[direction];
      const lost = Object.entries(dropped).filter(([, datagrams]) => datagrams > 0);
      const account = { direction, received, sent, lost, held: held[direction] };
      expect({ ...account, sum: sent + droppedTotal + held[direction] }).toEqual({
        ...account,
        sum: received,
      });
    }
  }
}
