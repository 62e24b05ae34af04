/** Runs tunnels in this process until all have ended, and tells what they tell. */

import type { TunnelPlan } from "../config/plan.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import type { ProgramOptions } from "./arguments.ts";
import { describe } from "./describe.ts";
import { EXIT_CANNOT_RUN, EXIT_CLEAN } from "./exit-status.ts";
import { say } from "./say.ts";
import { openServiceManager } from "./service-manager.ts";
import { closeOnSignals } from "./signals.ts";
import { TunnelSet, type TunnelSetListener } from "./tunnel-set.ts";

/** What is to run. */
export interface Run {
  readonly plans: readonly TunnelPlan[];
  readonly program: ProgramOptions;
  /** Whether lines begin with the tunnel's name: it has one that its owner knows. */
  readonly named: boolean;
}

/** Runs them and returns the exit status. */
export async function run({ plans, program, named }: Run): Promise<number> {
  const set = new TunnelSet(talk(program, named));
  const tellServiceManager = await openServiceManager();
  closeOnSignals(set, () => tellServiceManager("STOPPING=1"));
  await set.start(plans);
  if (set.tunnels.size > 0) tellServiceManager("READY=1");
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
