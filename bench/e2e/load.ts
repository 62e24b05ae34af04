/** One load through one tunnel: generator, relay pair and sink as separate processes, and the result. */

import { join } from "node:path";
import type { GeneratorReport } from "./generator.ts";
import { GENERATOR_SLOW, SINK_SLOW } from "./instrument-limits.ts";
import { BenchProcess } from "./process.ts";
import type { Place } from "./relays.ts";
import type { Plan, Span } from "./scenario.ts";
import type { SinkReport } from "./sink.ts";
import type { TunnelPair } from "./tunnel-pair.ts";

/** The offered load. */
export interface Load {
  size: number;
  /** Datagrams a second. */
  rate: number;
  seconds: number;
  warmUpSeconds: number;
  /** "there": client to server; "back": the other way. */
  direction?: "there" | "back";
  /** UDP sources; 1 when missing. */
  sources?: number;
  /** The number of datagrams that are due at once; 1 when missing. */
  burst?: number;
  /** The sink answers, and the generator measures round trips. */
  roundTrips?: boolean;
  /** The kernel drops datagrams that are too short for this load before the sink. */
  ignoreShort?: boolean;
  /** Parts of the counted load to report separately. They may overlap. */
  parts?: readonly Span[];
  /** Commands that run generator and sink, such as `ip netns exec NAME`. */
  wrappers?: { generator: readonly string[]; sink: readonly string[] };
}

/** The figures of one {@link Span}, as in {@link LoadResult}. */
export interface LoadPart {
  span: Span;
  lossPercent: number;
  cpuUs: number;
  clientCpuUs: number;
  serverCpuUs: number;
  latencyUs: number[];
}

export interface LoadResult {
  sent: number;
  sink: SinkReport;
  generator: GeneratorReport;
  /** The share of counted datagrams that did not arrive, in per cent. */
  lossPercent: number;
  /** Counted datagrams that arrived, per second. */
  deliveredPerSecond: number;
  offeredPerSecond: number;
  /** CPU time per delivered datagram, with the tail: of both ends, of the client, of the server. */
  cpuUs: number;
  clientCpuUs: number;
  serverCpuUs: number;
  peakBytes: number;
  parts: LoadPart[];
  /** Reasons why generator or sink, and not the relay, may have limited the figures. */
  notes: string[];
}

/** The part of a load that a plan defines: its first size, and the duration. */
export function basics({ sizes, seconds, warmUpSeconds }: Plan): Omit<Load, "rate"> {
  return { size: sizes[0] as number, seconds, warmUpSeconds };
}

const GENERATOR = join(import.meta.dir, "generator.ts");
const SINK = join(import.meta.dir, "sink.ts");

/** Sends a load through a tunnel. @throws Error with the last lines of a process that died. */
export async function runLoad(pair: TunnelPair, load: Load): Promise<LoadResult> {
  const sink = await startSink(pair.place, load);
  let generator: BenchProcess | undefined;
  try {
    generator = startGenerator(pair.place, load);
    await alive(pair, generator.message("counting"));
    const before = pair.cost();
    const course = await costsAt(pair, load.parts ?? [], before);
    const sent = await alive(pair, generator.message<GeneratorReport>("report"));
    sink.signal("SIGTERM");
    const received = await alive(pair, sink.message<SinkReport>("report"));
    const after = pair.cost();
    pair.assertAlive();
    return resultOf(load, sent, received, { before, course, after });
  } finally {
    await Promise.all([generator?.stop(), sink.stop()]);
  }
}

/** Starts the sink of a load and waits until it listens. */
export async function startSink(place: Place, load: Load): Promise<BenchProcess> {
  const at =
    load.direction === "back"
      ? `${place.clientApp}:${place.clientPort}`
      : `${place.serverApp}:${place.serverPort}`;
  const sink = new BenchProcess("sink", [
    ...[...(load.wrappers?.sink ?? []), process.execPath, SINK, at],
    ...(load.roundTrips ? ["--echo"] : []),
    ...(load.ignoreShort ? ["--ignore-short"] : []),
    ...(load.parts ? ["--parts", load.parts.map((span) => numbersOf(load, span).join("-")).join(",")] : []),
  ]);
  await sink.message("ready");
  return sink;
}

/**
 * Starts the generator of a load. With several destinations (`ADDRESS:PORT`), it sends to them in rotation.
 */
export function startGenerator(
  place: Place,
  load: Load,
  destinations: readonly string[] = [destinationOf(place, load)],
): BenchProcess {
  const back = load.direction === "back";
  return new BenchProcess("generator", [
    ...[...(load.wrappers?.generator ?? []), process.execPath, GENERATOR],
    ...destinations,
    ...["--from", back ? place.serverApp : place.clientApp],
    ...["--size", `${load.size}`, "--rate", `${load.rate}`, "--seconds", `${load.seconds}`],
    ...["--warm-up", `${load.warmUpSeconds}`, "--sources", `${load.sources ?? 1}`],
    ...["--burst", `${load.burst ?? 1}`],
    ...(load.roundTrips ? ["--round-trips"] : []),
  ]);
}

function destinationOf(place: Place, { direction }: Load): string {
  return direction === "back" ? `${place.serverHost}:${place.serverPort}` : `127.0.0.1:${place.clientPort}`;
}

/** Waits for a promise, and rejects when a relay ends first. */
export async function alive<T>(pair: TunnelPair, wanted: Promise<T>): Promise<T> {
  const death = (side: BenchProcess) =>
    side.exited.then(() => {
      throw new Error(side.lastLines);
    });
  wanted.catch(() => {});
  return await Promise.race([wanted, death(pair.server), death(pair.client)]);
}

type Costs = ReturnType<TunnelPair["cost"]>;

/** The costs when counting starts, by seconds since then, and when all datagrams have arrived. */
interface CostCourse {
  before: Costs;
  course: ReadonlyMap<number, Costs>;
  after: Costs;
}

/** Reads the costs at the start and the end of each part. */
async function costsAt(pair: TunnelPair, parts: readonly Span[], before: Costs) {
  const startMs = performance.now();
  const course = new Map([[0, before]]);
  const times = [...new Set(parts.flatMap(({ fromS, toS }) => [fromS, toS]))].sort((a, b) => a - b);
  for (const atS of times.filter((atS) => atS > 0)) {
    await alive(pair, Bun.sleep(startMs + 1000 * atS - performance.now()));
    course.set(atS, pair.cost());
  }
  return course;
}

/** The numbers of the datagrams in a part of a load: the first, and the first one after it. */
function numbersOf({ rate }: Load, { fromS, toS }: Span): [from: number, to: number] {
  return [Math.round(fromS * rate), Math.round(toS * rate)];
}

/** CPU time per datagram in microseconds. */
function cpuPerDatagram(before: Costs, after: Costs, datagrams: number) {
  const of = (side: "server" | "client") =>
    datagrams === 0 ? 0 : (after[side].cpuNs - before[side].cpuNs) / 1000 / datagrams;
  const [clientCpuUs, serverCpuUs] = [of("client"), of("server")];
  return { cpuUs: clientCpuUs + serverCpuUs, clientCpuUs, serverCpuUs };
}

function partsOf(load: Load, sink: SinkReport, course: CostCourse["course"]): LoadPart[] {
  return (load.parts ?? []).map((span, index) => {
    const [from, to] = numbersOf(load, span);
    const { received = 0, latencyUs = [] } = sink.parts[index] ?? {};
    const [before, after] = [course.get(span.fromS) as Costs, course.get(span.toS) as Costs];
    return {
      span,
      lossPercent: 100 * (1 - received / (to - from)),
      ...cpuPerDatagram(before, after, received),
      latencyUs,
    };
  });
}

function resultOf(
  load: Load,
  generator: GeneratorReport,
  sink: SinkReport,
  { before, course, after }: CostCourse,
): LoadResult {
  const spanS = Math.max(generator.spanS, sink.spanS);
  const offeredPerSecond = generator.sent / generator.spanS;
  const notes = limitsOf(load, generator, sink);
  return {
    sent: generator.sent,
    sink,
    generator,
    lossPercent: generator.sent === 0 ? 0 : 100 * (1 - sink.received / generator.sent),
    deliveredPerSecond: sink.received / spanS,
    offeredPerSecond,
    // The costs include those of the tail.
    ...cpuPerDatagram(before, after, sink.received + sink.tail),
    peakBytes: after.client.peakBytes + after.server.peakBytes,
    parts: partsOf(load, sink, course),
    notes,
  };
}

/** Reasons why generator or sink, and not the relay, may have limited the figures. */
export function limitsOf(load: Load, generator: GeneratorReport, sink: SinkReport): string[] {
  const notes: string[] = [];
  if (generator.sent < 0.95 * load.rate * generator.spanS || generator.late > 0.05 * generator.sent) {
    notes.push(GENERATOR_SLOW);
  }
  if (sink.kernelDrops > 0) notes.push(SINK_SLOW);
  return notes;
}
