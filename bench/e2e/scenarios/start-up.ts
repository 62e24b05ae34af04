/** Start-up: the time until the port is open, and until the tunnel is connected. */

import type { Column, Scenario } from "../scenario.ts";
import { TunnelPair } from "../tunnel-pair.ts";

const LISTENING: Column = {
  key: "serverMs",
  label: "server listens",
  unit: "ms",
  digits: 0,
  better: "lower",
};
const JOINED: Column = { key: "clientMs", label: "client joined", unit: "ms", digits: 0, better: "lower" };

export const startUp: Scenario = {
  name: "start-up",
  title: "Start-up: until the port is open, checked every 2 ms",
  columns: [LISTENING, JOINED],
  rounds: () => [
    {
      seconds: 0,
      run: async (relay, { choosePlace }) => {
        const pair = await TunnelPair.start(relay, await choosePlace());
        await pair.stop();
        const joined = relay.dialsAtStart && { clientMs: pair.clientReadyMs };
        return { values: { serverMs: pair.serverReadyMs, ...joined } };
      },
    },
  ],
};
