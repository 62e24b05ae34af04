/** Runs tunnels in this process until all have ended, and tells what they tell. */

import type { TunnelPlan } from "../config/plan.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import { describe } from "../observe/describe.ts";
import type { ProgramOptions } from "../options/table.ts";
import { EXIT_CANNOT_RUN, EXIT_CLEAN } from "./exit-status.ts";
import { reload } from "./reload.ts";
import { say } from "./say.ts";
import { openServiceManager } from "./service-manager.ts";
import { closeOnSignals, reloadOnSignal } from "./signals.ts";
import { TunnelSet, type TunnelSetListener } from "./tunnel-set.ts";

/** What is to run. */
export interface Run {
  readonly plans: readonly TunnelPlan[];
  readonly program: ProgramOptions;
  /** The file that the plans come from, if they do; it is read again at SIGHUP. Lines then begin with the tunnel's name. */
  readonly file?: string | undefined;
}

/** Runs them and returns the exit status. */
export async function run({ plans, program, file }: Run): Promise<number> {
  const set = new TunnelSet(talk(program, file !== undefined));
  const tellServiceManager = await openServiceManager();
  let turn = set.start(plans);
  // One at a time, and none is lost that comes while another, or the start, is under way.
  if (file !== undefined) {
    reloadOnSignal(() => {
      turn = turn.then(() => reload(set, file));
    });
  }
  await turn;
  closeOnSignals(set, () => tellServiceManager("STOPPING=1"));
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
