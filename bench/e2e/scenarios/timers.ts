/**
 * Whether a flood starves the rest of a process: the lateness of a short timer, in relays that run on Bun.
 */

import { basename } from "node:path";
import { alive, basics, startGenerator, startSink } from "../load.ts";
import type { Relay } from "../relays.ts";
import type { Column, Scenario } from "../scenario.ts";
import { TIMER_MS, type TimerReport } from "../timer-report.ts";
import { TunnelPair } from "../tunnel-pair.ts";

const WATCH = new URL("../timer-watch.ts", import.meta.url).pathname;
/** A factor for the seconds of a plan: a percentile needs many timers. A full run takes 5 s. */
const LONGER = 2.5;

const lateColumn = (key: string, label: string): Column => ({
  key,
  label,
  unit: "ms",
  digits: 1,
  better: "lower",
});

export const timers: Scenario = {
  name: "timers",
  title: `How late a timer of ${TIMER_MS} ms is while the tunnel is flooded, in the first seconds`,
  columns: [
    lateColumn("clientP50Ms", "client p50"),
    lateColumn("clientP99Ms", "client p99"),
    lateColumn("clientMaxMs", "client max"),
    lateColumn("serverP50Ms", "server p50"),
    lateColumn("serverP99Ms", "server p99"),
    lateColumn("serverMaxMs", "server max"),
  ],
  rounds: (plan) =>
    plan.sizes.map((size) => ({
      size,
      rate: plan.floodRate(size),
      seconds: plan.warmUpSeconds + LONGER * plan.seconds,
      leftOut: (relay) => (isRunByBun(relay) ? undefined : "the timer needs a relay that runs on Bun"),
      run: async (relay, { choosePlace }) => {
        const pair = await TunnelPair.start(watched(relay), await choosePlace());
        const load = {
          ...basics(plan),
          size,
          rate: plan.floodRate(size),
          seconds: LONGER * plan.seconds,
        };
        const sink = await startSink(pair.place, load);
        const generator = startGenerator(pair.place, load);
        const signalBoth = () => {
          for (const side of [pair.client, pair.server]) side.signal("SIGUSR2");
        };
        try {
          await alive(pair, generator.message("counting"));
          signalBoth();
          await alive(pair, generator.message("counted"));
          signalBoth();
          const client = await alive(pair, pair.client.message<TimerReport>("late"));
          const server = await alive(pair, pair.server.message<TimerReport>("late"));
          return {
            values: {
              clientP50Ms: client.p50Ms,
              clientP99Ms: client.p99Ms,
              clientMaxMs: client.maxMs,
              serverP50Ms: server.p50Ms,
              serverP99Ms: server.p99Ms,
              serverMaxMs: server.maxMs,
            },
          };
        } finally {
          await Promise.all([generator.stop(), sink.stop(), pair.stop()]);
        }
      },
    })),
};

function isRunByBun(relay: Relay): boolean {
  return /^bun(\.exe)?$/.test(basename(relay.server(NOWHERE)[0] ?? ""));
}

const NOWHERE = {
  serverHost: "",
  tcpPort: 0,
  clientApp: "",
  serverApp: "",
  clientPort: 0,
  serverPort: 0,
};

/** The relay with the timer in both programs. */
function watched(relay: Relay): Relay {
  const withTimer = ([bun = "", ...rest]: string[]) => [bun, "--preload", WATCH, ...rest];
  return {
    ...relay,
    server: (place) => withTimer(relay.server(place)),
    client: (place) => withTimer(relay.client(place)),
  };
}
