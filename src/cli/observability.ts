/** What is shown of the tunnels while they run: metrics, status, and their stats at SIGUSR1. */

import { isatty } from "node:tty";
import type { Tunnels } from "../observe/stats.ts";
import { beginning, statusLine, summaryLine } from "../observe/stats-lines.ts";
import type { ProgramOptions } from "../options/table.ts";
import type { ProgramLog } from "./program-log.ts";

/**
 * Shows what the options ask for. To be called before any tunnel starts.
 *
 * @param named whether lines begin with the tunnel's name.
 * @returns ends it.
 * @throws TunnelError ERR_LISTEN when the port for metrics cannot be had.
 */
export async function openOverview(
  tunnels: Tunnels,
  program: ProgramOptions,
  log: ProgramLog,
  named: boolean,
): Promise<() => void> {
  const { metrics, redact } = program;
  const ends: (() => void)[] = [];
  if (metrics?.port !== undefined) {
    const { serveMetrics } = await import("./metrics-server.ts");
    ends.push(await serveMetrics(tunnels, { host: metrics.host, port: metrics.port, redact }));
  }
  if (program.status) {
    const { reportStatus, showStatus } = await import("./status.ts");
    // Not process.stderr: it makes a pipe non-blocking for every process that shares the pipe.
    const live = isatty(2) && program.log === "text";
    ends.push(
      live
        ? await showStatus(tunnels, { named, redact })
        : reportStatus(tunnels, (name, line) => log.of(name).log("info", line)),
    );
  }
  process.on("SIGUSR1", () => tellStats(tunnels, log));
  return () => {
    for (const end of ends) end();
  };
}

function tellStats(tunnels: Tunnels, log: ProgramLog): void {
  for (const [name, tunnel] of tunnels()) {
    const stats = tunnel.stats();
    log.of(name).log("info", statusLine(stats, beginning(stats)));
    log.of(name).log("info", summaryLine(stats), { event: "stats", ...stats });
  }
}
