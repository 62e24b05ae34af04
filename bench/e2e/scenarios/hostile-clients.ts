/** Round trips of a quiet session at our server: alone, and beside clients that do not know the secret. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ClientBehaviour, HostileClients } from "../hostile-clients.ts";
import { alive, basics, runLoad } from "../load.ts";
import type { Plan, Round, Scenario } from "../scenario.ts";
import { startPerSource, TRIP_P50, TRIP_P99, tripsOf, UNANSWERED } from "./per-source.ts";

const QUIET_RATE = 200;
const OURS = "ours";
const OURS_WITH_TLS = "ours --tls";

export const hostileClients: Scenario = {
  name: "hostile-clients",
  title: "A quiet session's round trips beside hostile clients, in the first seconds",
  columns: [TRIP_P50, TRIP_P99, UNANSWERED],
  rounds: (plan) => {
    const many = plan.name === "tiny" ? 20 : 2000;
    const flood = { count: plan.name === "tiny" ? 100 : 5000, flood: true };
    return [
      round(plan, OURS, "alone"),
      round(plan, OURS, `beside ${many} idle connections`, { count: many }),
      round(plan, OURS, `beside ${flood.count} new connections a second`, flood),
      round(plan, OURS_WITH_TLS, "with TLS, alone"),
      round(plan, OURS_WITH_TLS, `with TLS, beside ${flood.count} handshakes a second`, {
        ...flood,
        tls: true,
      }),
    ];
  },
};

/** One load of the quiet session. Its client knows the secret. */
function round(plan: Plan, relayName: string, detail: string, behaviour?: ClientBehaviour): Round {
  return {
    size: plan.sizes[0] as number,
    rate: QUIET_RATE,
    detail,
    leftOut: ({ name }) => (name === relayName ? undefined : `is for ${relayName}`),
    run: async (relay, context) => {
      using secret = secretFile();
      const perSource = [...(relay.perSource ?? []), "--secret-file", secret.path];
      const pair = await startPerSource({ ...relay, perSource }, context);
      try {
        await using _clients = behaviour && (await HostileClients.start(pair.place.tcpPort, behaviour));
        const load = { ...basics(plan), rate: QUIET_RATE, roundTrips: true };
        const { generator, sent, notes } = await alive(pair, runLoad(pair, load));
        return { ...tripsOf(generator.answers, sent), notes };
      } finally {
        await pair.stop();
      }
    },
  };
}

function secretFile() {
  const folder = mkdtempSync(join(tmpdir(), "udptunnel-bench-"));
  const path = join(folder, "secret");
  writeFileSync(path, crypto.randomUUID(), { mode: 0o600 });
  return { path, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}
