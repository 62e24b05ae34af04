/** A VPN through the relay: ping just after the start, throughput, and ping again. */

import { alive } from "../load.ts";
import { BenchProcess } from "../process.ts";
import { nothing, type Relay } from "../relays.ts";
import type { Column, Context, Outcome, Plan, Scenario } from "../scenario.ts";
import { median } from "../statistics.ts";
import { LISTEN, portIsOpen, TunnelPair } from "../tunnel-pair.ts";
import { FAR, FAR_INSIDE, MIDDLE_FOR_NEAR, NEAR, WireGuard, whyNoWireGuard } from "../wireguard.ts";

const RATE: Column = { key: "mbits", label: "iperf3", unit: "Mbit/s", digits: 0, better: "higher" };
const STARTED: Column = ping50("startedMs", "ping p50, just started");
const SETTLED: Column = ping50("settledMs", "after iperf3");
const CPU: Column = cpu("cpuMs", "CPU/MB");
const CLIENT: Column = cpu("clientCpuMs", "client");
const SERVER: Column = cpu("serverCpuMs", "server");

function ping50(key: string, label: string): Column {
  return { key, label, unit: "ms", digits: 2, better: "lower" };
}

function cpu(key: string, label: string): Column {
  return { key, label, unit: "ms", digits: 2, better: "lower" };
}

const IPERF_PORT = 5201;
const PING_INTERVAL_S = 0.05;
/** For the time between the programs of a cell. */
const OTHER_S = 2;

export const wireguard: Scenario = {
  name: "wireguard",
  title:
    "Through wireguard-go: 20 pings a second just after the start, iperf3 over TCP, and the same pings again",
  columns: [STARTED, SETTLED, RATE, CPU, CLIENT, SERVER],
  leftOut: whyNoWireGuard,
  reference: nothing,
  rounds: (plan) => [
    {
      seconds: plan.iperfSeconds + 2 * plan.pings * PING_INTERVAL_S + OTHER_S,
      leftOut: (relay) =>
        relay.answersFromOtherPort
          ? "WireGuard would send to the port of its answers, which it does not read"
          : undefined,
      run: (relay, context) => measure(relay, context),
    },
  ],
};

async function measure(relay: Relay, { plan, choosePlace }: Context): Promise<Outcome> {
  await using network = new WireGuard();
  const place = { ...(await choosePlace()), clientApp: NEAR, serverApp: FAR };
  const { middle } = network;
  const pair =
    relay === nothing ? undefined : await TunnelPair.start(relay, place, { client: middle, server: middle });
  try {
    if (pair === undefined) network.route();
    const endpoint =
      pair === undefined ? `${FAR}:${place.serverPort}` : `${MIDDLE_FOR_NEAR}:${place.clientPort}`;
    await network.start(place.clientPort, place.serverPort, endpoint);
    const whileAlive = <T>(wanted: Promise<T>) => (pair === undefined ? wanted : alive(pair, wanted));
    const startedMs = await whileAlive(ping(network, plan));
    const before = pair?.cost();
    const mbits = await whileAlive(iperf(network, plan));
    const after = pair?.cost();
    const settledMs = await whileAlive(ping(network, plan));
    const values: Outcome["values"] = { startedMs, settledMs, mbits };
    if (before !== undefined && after !== undefined) {
      const megabytes = (mbits * plan.iperfSeconds) / 8;
      const perMB = (side: "client" | "server") => (after[side].cpuNs - before[side].cpuNs) / 1e6 / megabytes;
      const [clientCpuMs, serverCpuMs] = [perMB("client"), perMB("server")];
      Object.assign(values, { cpuMs: clientCpuMs + serverCpuMs, clientCpuMs, serverCpuMs });
    }
    return { values };
  } finally {
    await pair?.stop();
  }
}

/** The median round trip in milliseconds. @throws Error when no ping is answered. */
async function ping({ near }: WireGuard, { pings }: Plan): Promise<number> {
  const words = ["-n", "-c", `${pings}`, "-i", `${PING_INTERVAL_S}`, "-W", "1", FAR_INSIDE];
  const lines = await outputOf("ping", [...near, "ping", ...words]);
  return median(lines.flatMap((line) => /time=([\d.]+) ms/.exec(line)?.slice(1).map(Number) ?? []));
}

/** The megabits a second that one TCP connection carries to the far end. */
async function iperf({ near, far }: WireGuard, { iperfSeconds }: Plan): Promise<number> {
  const server = new BenchProcess("iperf3 server", [...far, "iperf3", "-s", "-1", "-B", FAR_INSIDE]);
  try {
    while (!portIsOpen(server.pid, "tcp", IPERF_PORT, LISTEN)) {
      if (server.ended) throw new Error(server.lastLines);
      await Bun.sleep(5);
    }
    const words = ["-c", FAR_INSIDE, "-t", `${iperfSeconds}`, "-f", "m"];
    const lines = await outputOf("iperf3", [...near, "iperf3", ...words]);
    const found = lines.flatMap((line) => /([\d.]+) Mbits\/sec\s+receiver/.exec(line)?.slice(1) ?? []);
    if (found[0] === undefined) throw new Error(`iperf3 printed no result: ${lines.join(" | ")}`);
    return Number(found[0]);
  } finally {
    await server.stop();
  }
}

/** The output of a program that ends by itself. @throws Error with its last lines when it fails. */
async function outputOf(label: string, command: readonly string[]): Promise<readonly string[]> {
  const program = new BenchProcess(label, command);
  try {
    if ((await program.exited) !== 0) throw new Error(program.lastLines);
    return program.lines;
  } finally {
    await program.stop();
  }
}
