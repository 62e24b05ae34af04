/** The columns of all loads. */

import type { LoadPart, LoadResult } from "../load.ts";
import type { Column, Outcome, Part } from "../scenario.ts";
import { PERCENTILES } from "../tally.ts";

export const OFFERED: Column = { key: "offered", label: "offered", unit: "/s", digits: 0 };
export const DELIVERED: Column = {
  key: "delivered",
  label: "delivered",
  unit: "/s",
  digits: 0,
  better: "higher",
};
export const LOSS: Column = { key: "loss", label: "loss", unit: "%", digits: 2, better: "lower" };
export const P50: Column = { key: "p50Us", label: "p50", unit: "us", digits: 0, better: "lower" };
export const P99: Column = { key: "p99Us", label: "p99", unit: "us", digits: 0, better: "lower" };
export const P999: Column = { key: "p999Us", label: "p99.9", unit: "us", digits: 0, better: "lower" };
export const CPU: Column = { key: "cpuUs", label: "CPU/datagram", unit: "us", digits: 2, better: "lower" };
export const CLIENT_CPU: Column = {
  key: "clientCpuUs",
  label: "client",
  unit: "us",
  digits: 2,
  better: "lower",
};
export const SERVER_CPU: Column = {
  key: "serverCpuUs",
  label: "server",
  unit: "us",
  digits: 2,
  better: "lower",
};
export const PEAK: Column = { key: "peakMB", label: "peak memory", unit: "MB", digits: 0, better: "lower" };
/** This must be 0. Otherwise a note has the details. */
export const FAULTS: Column = {
  key: "faults",
  label: "corrupt/dup/reord",
  unit: "",
  digits: 0,
  better: "lower",
};

/** The figures of a part of a load, by column key. Its faults are those of the whole load. */
export function partOf(result: LoadResult, part: LoadPart, detail: string): Part {
  const { values, notes = [] } = outcomeOf(result);
  const { lossPercent: loss, cpuUs, clientCpuUs, serverCpuUs, latencyUs } = part;
  const { faults = 0 } = values;
  const offered = result.offeredPerSecond;
  const delivered = offered * (1 - loss / 100);
  return {
    detail,
    values: { offered, delivered, ...delaysOf(latencyUs), loss, cpuUs, clientCpuUs, serverCpuUs, faults },
    notes,
    latencyUs,
  };
}

function delaysOf(latencyUs: readonly number[]) {
  const at = (percent: (typeof PERCENTILES)[number]) => latencyUs[PERCENTILES.indexOf(percent)] ?? Number.NaN;
  return { p50Us: at(50), p99Us: at(99), p999Us: at(99.9) };
}

/** The figures of a load, by column key. */
export function outcomeOf(result: LoadResult): Outcome {
  const { sink } = result;
  const faults = sink.corrupt + sink.duplicates + sink.reordered;
  return {
    values: {
      offered: result.offeredPerSecond,
      delivered: result.deliveredPerSecond,
      loss: result.lossPercent,
      ...delaysOf(sink.latencyUs),
      cpuUs: result.cpuUs,
      clientCpuUs: result.clientCpuUs,
      serverCpuUs: result.serverCpuUs,
      peakMB: result.peakBytes / 1e6,
      sent: result.sent,
      received: sink.received,
      corrupt: sink.corrupt,
      duplicates: sink.duplicates,
      reordered: sink.reordered,
      faults,
      sinkDrops: sink.kernelDrops,
    },
    notes:
      faults === 0
        ? result.notes
        : [
            ...result.notes,
            `${sink.corrupt} corrupt, ${sink.duplicates} twice, ${sink.reordered} out of order`,
          ],
    latencyUs: sink.latencyUs,
  };
}
