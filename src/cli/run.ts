/** Runs tunnels in this process until all have ended, and tells what they tell. */

import type { TunnelPlan } from "../config/plan.ts";
import { TunnelError } from "../errors.ts";
import { summaryLine } from "../observe/stats-lines.ts";
import { COMMAND_LINE, CONFIG_FILE } from "../options/input-style.ts";
import type { ProgramOptions } from "../options/table.ts";
import { startTunnel } from "../tunnel/start.ts";
import { EXIT_CANNOT_RUN, EXIT_CLEAN } from "./exit-status.ts";
import { log } from "./log.ts";
import { openOverview } from "./observability.ts";
import { ProgramLog } from "./program-log.ts";
import { type Config, reload } from "./reload.ts";
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
  const named = config !== undefined;
  const { nameOf } = named ? CONFIG_FILE : COMMAND_LINE;
  const programLog = new ProgramLog(program, { named, nameOf });
  const set = new TunnelSet(listenerFor(programLog, program), (settings, extras) =>
    startTunnel(settings, { ...extras, nameOf }),
  );
  const close = await openObservability(set, program, programLog, named);
  if (close === undefined) return EXIT_CANNOT_RUN;
  const notifyServiceManager = await openServiceManager();
  closeOnSignals(set, () => notifyServiceManager("STOPPING=1"));
  let turn = set.start(plans).then(() => {
    if (set.tunnels.size > 0) notifyServiceManager("READY=1");
  });
  if (config !== undefined || plans.some(({ settings }) => settings.tls)) {
    reloadOnSignal(() => {
      // One at a time, and none is lost that comes while another, or the start, is under way.
      turn = turn.then(async () => {
        notifyServiceManager("RELOADING=1");
        if (config !== undefined) await reload(set, config);
        for (const tunnel of set.tunnels.values()) tunnel.reloadCertificates();
        notifyServiceManager("READY=1");
      });
    });
  }
  await set.closed;
  await programLog.flushed();
  close();
  return set.failed ? EXIT_CANNOT_RUN : EXIT_CLEAN;
}

/** Opens what is shown of the tunnels; undefined when that cannot be, and has been said. */
async function openObservability(
  set: TunnelSet,
  program: ProgramOptions,
  programLog: ProgramLog,
  named: boolean,
): Promise<(() => void) | undefined> {
  try {
    return await openOverview(() => set.tunnels, program, programLog, named);
  } catch (error) {
    if (!(error instanceof TunnelError)) throw error;
    log(error.message);
    return undefined;
  }
}

/** Reports what happens in the tunnels, and how each has fared when it is over. */
function listenerFor(programLog: ProgramLog, { verbosity }: ProgramOptions): TunnelSetListener {
  return {
    onEvent: (name, event, level, repeats) => programLog.of(name).onEvent(event, level, repeats),
    onFailed: (name, error) => programLog.of(name).log("error", error.message),
    onRemoved(name, tunnel) {
      if (verbosity > 0) programLog.of(name).log("info", summaryLine(tunnel.stats()));
    },
    traceOf: (name) => (programLog.tracing ? programLog.of(name).onDatagram : undefined),
  };
}
