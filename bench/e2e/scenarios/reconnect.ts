/**
 * Reconnect: kills the server under a steady load, starts it again, and measures the time until datagrams
 * arrive.
 */

import { openKernel } from "../kernel.ts";
import { basics, startGenerator, startSink } from "../load.ts";
import type { Column, Plan, Scenario } from "../scenario.ts";
import type { SinkReport } from "../sink.ts";
import { startServer, TunnelPair } from "../tunnel-pair.ts";

const RATE = 1000;
const BEFORE_MS = 300;
const DOWN_MS = 500;
const BACK: Column = { key: "backMs", label: "datagrams flow after", unit: "ms", digits: 0, better: "lower" };
const GAP: Column = { key: "gapMs", label: "silence in all", unit: "ms", digits: 0, better: "lower" };

const loadSeconds = (plan: Plan) => (BEFORE_MS + DOWN_MS) / 1000 + plan.reconnectSeconds;

export const reconnect: Scenario = {
  name: "reconnect",
  title: `Reconnect: the server is killed and back ${DOWN_MS} ms later, at ${RATE} datagrams/s`,
  columns: [BACK, GAP],
  rounds: (plan) => [
    {
      size: plan.sizes[0] as number,
      rate: RATE,
      leftOut: (relay) => (relay.endsWithConnection ? "it ends with its TCP connection" : undefined),
      seconds: plan.warmUpSeconds + loadSeconds(plan),
      run: async (relay, { choosePlace }) => {
        const kernel = openKernel();
        const pair = await TunnelPair.start(relay, await choosePlace());
        const load = { ...basics(plan), rate: RATE, seconds: loadSeconds(plan) };
        const sink = await startSink(pair.place, load);
        const generator = startGenerator(pair.place, load);
        let again: Awaited<ReturnType<typeof startServer>> | undefined;
        try {
          await generator.message("counting");
          await Bun.sleep(BEFORE_MS);
          pair.server.kill();
          await pair.server.exited;
          await Bun.sleep(DOWN_MS);
          again = await startServer(relay, pair.place, [], []);
          const readyNs = kernel.now();
          await Promise.race([generator.message("report"), pair.client.exited]);
          if (pair.client.ended) throw new Error(`does not reconnect: ${pair.client.lastLines}`);
          sink.signal("SIGTERM");
          const report = await sink.message<SinkReport>("report");
          if (report.gapS * 1000 < DOWN_MS) {
            throw new Error(`nothing arrived in ${plan.reconnectSeconds} s after the server was back`);
          }
          // The port is checked every 2 ms, so datagrams may arrive before the check.
          const backMs = Math.max(0, report.gapEndNs - readyNs) / 1e6;
          return { values: { backMs, gapMs: report.gapS * 1000 } };
        } finally {
          await Promise.all([generator.stop(), sink.stop(), again?.[0].stop(), pair.stop()]);
        }
      },
    },
  ],
};
