/** Memory of both processes together: after the start, and at the peak under a flood. */

import { basics, runLoad } from "../load.ts";
import type { Column, Scenario } from "../scenario.ts";
import { TunnelPair } from "../tunnel-pair.ts";
import { PEAK } from "./load-columns.ts";

const REST: Column = { key: "restMB", label: "at rest", unit: "MB", digits: 0, better: "lower" };
const AFTER: Column = { key: "afterMB", label: "after the load", unit: "MB", digits: 0, better: "lower" };

export const memory: Scenario = {
  name: "memory",
  title: "Resident memory of both ends: at rest, at its peak under flood, and after",
  columns: [REST, { ...PEAK, label: "peak" }, AFTER],
  rounds: (plan) => [
    {
      size: plan.sizes[0] as number,
      run: async (relay, { choosePlace }) => {
        const size = plan.sizes[0] as number;
        const pair = await TunnelPair.start(relay, await choosePlace());
        try {
          const rest = pair.cost();
          const { peakBytes, notes } = await runLoad(pair, {
            ...basics(plan),
            size,
            rate: plan.floodRate(size),
          });
          const after = pair.cost();
          const sum = (cost: typeof rest) => (cost.client.nowBytes + cost.server.nowBytes) / 1e6;
          return { values: { restMB: sum(rest), peakMB: peakBytes / 1e6, afterMB: sum(after) }, notes };
        } finally {
          await pair.stop();
        }
      },
    },
  ],
};
