/** Runs tunnels in this process until all have ended, and tells what they tell. */

import type { TunnelPlan } from "../config/plan.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import type { ProgramOptions } from "../options/table.ts";
import { describe } from "./describe.ts";
import { EXIT_CANNOT_RUN, EXIT_CLEAN } from "./exit-status.ts";
import { type Config, reload } from "./reload.ts";
import { say } from "./say.ts";
import { openServiceManager } from "./service-manager.ts";
import { closeOnSignals, reloadOnSignal } from "./signals.ts";
import { TunnelSet, type TunnelSetListener } from "./tunnel-set.ts";

/** What is to run. */
export interface Run {
  readonly plans: readonly TunnelPlan[];
  readonly program: ProgramOptions;
  /** Where the plans come from, if from a file; it is read again at SIGHUP. Lines then begin with the tunnel's name. */
  readonly config?: Config | undefined;
}

/** Runs them and returns the exit status. */
export async function run({ plans, program, config }: Run): Promise<number> {
  const set = new TunnelSet(talk(program, config !== undefined));
  const tellServiceManager = await openServiceManager();
  closeOnSignals(set, () => tellServiceManager("STOPPING=1"));
  let turn = set.start(plans).then(() => {
    if (set.tunnels.size > 0) tellServiceManager("READY=1");
  });
  if (config !== undefined || plans.some(({ settings }) => settings.tls)) {
    reloadOnSignal(() => {
      // One at a time, and none is lost that comes while another, or the start, is under way.
      turn = turn.then(async () => {
        if (config !== undefined) await reload(set, config);
        for (const tunnel of set.tunnels.values()) tunnel.reloadCertificates();
      });
    });
  }
  await set.closed;
  return set.failed ? EXIT_CANNOT_RUN : EXIT_CLEAN;
}

/** Says on stderr what happens, as much of it as `-v` asks for. */
function talk({ verbosity }: ProgramOptions, named: boolean): TunnelSetListener {
  const sayOf = (name: string, line: string) => say(named ? `${name}: ${line}` : line);
  return {
    onEvent(name, event, level) {
      if (level === "warning" || verbosity > 0) sayOf(name, describe(event));
    },
    onFailed: (name, error) => sayOf(name, error.message),
    traceOf(name) {
      if (verbosity < 2) return undefined;
      return (direction, source, bytes) =>
        sayOf(name, `${direction}: ${bytes} bytes from ${formatEndpoint(source)}`);
    },
  };
}
