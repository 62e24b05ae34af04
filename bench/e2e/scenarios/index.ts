/** Every scenario, in the order tables show them. */

import type { Scenario } from "../scenario.ts";
import { bothWays } from "./both-ways.ts";
import { burst } from "./burst.ts";
import { flood } from "./flood.ts";
import { hostileClients } from "./hostile-clients.ts";
import { instrument } from "./instrument.ts";
import { latency } from "./latency.ts";
import { memory } from "./memory.ts";
import { neighbours } from "./neighbours.ts";
import { rate } from "./rate.ts";
import { reconnect } from "./reconnect.ts";
import { sessions } from "./sessions.ts";
import { slowLink } from "./slow-link.ts";
import { sources } from "./sources.ts";
import { startUp } from "./start-up.ts";
import { timers } from "./timers.ts";
import { wireguard } from "./wireguard.ts";

export const SCENARIOS: readonly Scenario[] = [
  instrument,
  flood,
  rate,
  latency,
  burst,
  bothWays,
  sources,
  sessions,
  neighbours,
  hostileClients,
  timers,
  slowLink,
  wireguard,
  reconnect,
  startUp,
  memory,
];
