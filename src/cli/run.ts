/** Runs tunnels in this process until all have ended, and tells what they tell. */

import { readConfigFile } from "../config/config-file.ts";
import type { TunnelPlan } from "../config/plan.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import type { ProgramOptions } from "../options/table.ts";
import { describe } from "./describe.ts";
import { EXIT_CANNOT_RUN, EXIT_CLEAN } from "./exit-status.ts";
import { say } from "./say.ts";
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
  let turn = set.start(plans);
  // One at a time, and none is lost that comes while another, or the start, is under way.
  if (file !== undefined) reloadOnSignal(() => (turn = turn.then(() => reload(set, file))));
  await turn;
  closeOnSignals(set);
  await set.closed;
  return set.failed ? EXIT_CANNOT_RUN : EXIT_CLEAN;
}

/** Reads the file again and makes those tunnels run; a file with a problem changes nothing. */
async function reload(set: TunnelSet, file: string): Promise<void> {
  const { plans, problems } = await readConfigFile(file);
  if (problems.length > 0) {
    for (const problem of problems) say(problem);
    say(`${file} is not used; the tunnels go on as they are`);
    return;
  }
  const { kept, changed, added, removed } = await set.reload(plans);
  const named = (which: string, names: readonly string[]) =>
    names.length === 0 ? [] : `${which} ${names.join(", ")}`;
  const parts = [
    named("kept", kept),
    named(
      "restarted",
      changed.map(({ name }) => name),
    ),
    named(
      "started",
      added.map(({ name }) => name),
    ),
    named("closed", removed),
  ].flat();
  say(`${file} read again: ${parts.join("; ")}`);
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
