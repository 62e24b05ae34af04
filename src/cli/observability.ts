/** What the program shows of its running tunnels: metrics, the status, and their statistics at SIGUSR1. */

import { isatty } from "node:tty";
import type { Tunnels } from "../observe/stats.ts";
import { atStart, statusLine, summaryLine } from "../observe/stats-lines.ts";
import type { ProgramOptions } from "../options/table.ts";
import type { ProgramLog } from "./program-log.ts";
import type { LiveStatusOptions } from "./status.ts";

/**
 * Opens what the options request. Call it before any tunnel starts.
 *
 * @returns a function that closes it.
 * @throws TunnelError ERR_RESOLVE; ERR_LISTEN when the port for metrics cannot be bound.
 */
export async function openObservability(
  tunnels: Tunnels,
  program: ProgramOptions,
  log: ProgramLog,
  { named, redactor }: LiveStatusOptions,
): Promise<() => void> {
  const { metrics } = program;
  const closers: (() => void)[] = [];
  if (metrics?.port !== undefined) {
    const { serveMetrics } = await import("./metrics-server.ts");
    closers.push(await serveMetrics(tunnels, { host: metrics.host, port: metrics.port, redactor }));
  }
  if (program.status) {
    const { logStatus, showStatus } = await import("./status.ts");
    // Not process.stderr: it makes a pipe non-blocking for every process that shares the pipe.
    const live = isatty(2) && program.log === "text";
    closers.push(
      live
        ? await showStatus(tunnels, { named, redactor })
        : logStatus(tunnels, (name, line) => log.of(name).log("info", line)),
    );
  }
  process.on("SIGUSR1", () => logStats(tunnels, log));
  return () => {
    for (const close of closers) close();
  };
}

function logStats(tunnels: Tunnels, log: ProgramLog): void {
  for (const [name, tunnel] of tunnels()) {
    const stats = tunnel.stats();
    log.of(name).log("info", statusLine(stats, atStart(stats)));
    log.of(name).log("info", summaryLine(stats), { event: "stats", ...stats });
  }
}
