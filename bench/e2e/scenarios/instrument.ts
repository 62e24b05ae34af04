/**
 * The instrument itself: the flood from the generator directly to the sink. Loss here is not caused by a
 * relay.
 */

import type { GeneratorReport } from "../generator.ts";
import { basics, limitsOf, startGenerator, startSink } from "../load.ts";
import { nothing } from "../relays.ts";
import type { Scenario } from "../scenario.ts";
import type { SinkReport } from "../sink.ts";
import { DELIVERED, LOSS, OFFERED } from "./load-columns.ts";

export const instrument: Scenario = {
  name: "instrument",
  title: "Generator and sink without a relay, at the rate of the flood",
  columns: [OFFERED, DELIVERED, LOSS],
  relays: [nothing],
  rounds: (plan) =>
    plan.sizes.map((size) => ({
      size,
      rate: plan.floodRate(size),
      run: async (_relay, { choosePlace }) => {
        const chosen = await choosePlace();
        // The generator sends to 127.0.0.1 and the port of the client. The sink listens there instead of the
        // client.
        const place = { ...chosen, serverApp: "127.0.0.1", serverPort: chosen.clientPort };
        const load = { ...basics(plan), size, rate: plan.floodRate(size) };
        const sink = await startSink(place, load);
        const generator = startGenerator(place, load);
        try {
          const sent = await generator.message<GeneratorReport>("report");
          sink.signal("SIGTERM");
          const received = await sink.message<SinkReport>("report");
          return {
            values: {
              offered: sent.sent / sent.spanS,
              delivered: received.received / Math.max(sent.spanS, received.spanS),
              loss: 100 * (1 - received.received / sent.sent),
            },
            notes: limitsOf(load, sent, received),
          };
        } finally {
          await Promise.all([generator.stop(), sink.stop()]);
        }
      },
    })),
};
