/** Bursts as a VPN sends them: many datagrams at once, a pause, and again. */

import type { Scenario } from "../scenario.ts";
import {
  CLIENT_CPU,
  CPU,
  DELIVERED,
  FAULTS,
  LOSS,
  OFFERED,
  P50,
  P99,
  P999,
  SERVER_CPU,
} from "./load-columns.ts";
import { spanRound } from "./span-round.ts";

const DATAGRAMS = 64;
const EVERY_MS = 10;
/** About a full packet of WireGuard. */
const SIZE = 1400;

export const burst: Scenario = {
  name: "burst",
  title: `${DATAGRAMS} datagrams at once every ${EVERY_MS} ms, as a VPN sends them: in one call with segment offload`,
  columns: [OFFERED, DELIVERED, LOSS, P50, P99, P999, CPU, CLIENT_CPU, SERVER_CPU, FAULTS],
  rounds: (plan) => [spanRound(plan, { size: SIZE, rate: (DATAGRAMS * 1000) / EVERY_MS, burst: DATAGRAMS })],
};
