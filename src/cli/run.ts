/** Runs tunnels in this process until all have closed. SIGHUP reloads them, SIGINT and SIGTERM close them. */

import { constants } from "node:os";
import type { readConfigFile } from "../config/config-file.ts";
import type { TunnelPlan } from "../config/plan.ts";
import { TunnelError } from "../errors.ts";
import type { Redactor } from "../observe/redact.ts";
import { summaryLine } from "../observe/stats-lines.ts";
import { COMMAND_LINE, CONFIG_FILE } from "../options/input-style.ts";
import { hostsOf } from "../options/settings.ts";
import type { ProgramOptions } from "../options/table.ts";
import { startTunnel } from "../tunnel/start.ts";
import { log } from "./log.ts";
import { openObservability } from "./observability.ts";
import { ProgramLog } from "./program-log.ts";
import { TunnelSet, type TunnelSetListener } from "./tunnel-set.ts";
import { scheduleWarmUp } from "./warm-up.ts";

/** Exit status: all tunnels closed as requested. A second signal N ends the process with 128 + N instead. */
export const EXIT_OK = 0;
/** Exit status: a tunnel could not start, or failed. */
export const EXIT_FAILURE = 1;
/** Exit status: the arguments or the configuration are invalid, and nothing was started. */
export const EXIT_USAGE = 2;

/**
 * `bun run` forwards signals to the program, so that a Ctrl-C at a terminal arrives twice. Signals within
 * this time count as one.
 */
const SAME_SIGNAL_MS = 500;

/** The configuration file that the tunnels come from. */
interface Config {
  /** The file's name, for messages. */
  readonly file: string;
  readonly read: () => ReturnType<typeof readConfigFile>;
}

export interface Run {
  readonly plans: readonly TunnelPlan[];
  readonly program: ProgramOptions;
  /** Hides hosts in all output. */
  readonly redactor: Redactor | undefined;
  /** With a file, SIGHUP reads it again, and log lines begin with the tunnel's name. */
  readonly config?: Config | undefined;
}

/** Runs the tunnels and returns the exit status. */
export async function run({ plans, program, redactor, config }: Run): Promise<number> {
  const named = config !== undefined;
  const { nameOf } = named ? CONFIG_FILE : COMMAND_LINE;
  const programLog = new ProgramLog(program, { named, nameOf, redactor });
  const set = new TunnelSet(listenerFor(programLog, program), (settings, extras) =>
    startTunnel(settings, { ...extras, nameOf }),
  );
  let stopObserving: () => void;
  try {
    stopObserving = await openObservability(() => set.tunnels, program, programLog, { named, redactor });
  } catch (error) {
    if (!(error instanceof TunnelError)) throw error;
    log(error.message);
    return EXIT_FAILURE;
  }
  const notify = await openServiceManager();
  closeOnSignals(set, () => notify("STOPPING=1"));
  let lastChange = set.start(plans).then(() => {
    if (set.tunnels.size === 0) return;
    notify("READY=1");
    const [plan] = plans;
    if (plan !== undefined) scheduleWarmUp([...set.tunnels.values()], plan.settings);
  });
  // With neither a file nor certificates to read again, SIGHUP keeps its default action: closing the terminal
  // ends the program, unless `nohup` started it.
  if (config !== undefined || plans.some(({ settings }) => settings.tls)) {
    process.on("SIGHUP", () => {
      // The start and the reloads run one after another. A signal that arrives during one of them is handled
      // after it.
      lastChange = lastChange.then(async () => {
        notify("RELOADING=1");
        if (config !== undefined) await reload(set, config, redactor);
        for (const tunnel of set.tunnels.values()) tunnel.reloadCertificates();
        notify("READY=1");
      });
    });
  }
  await set.closed;
  await programLog.flushed();
  stopObserving();
  return set.failed ? EXIT_FAILURE : EXIT_OK;
}

/** Logs the events of the tunnels, and with `-v` a summary of each tunnel that has closed. */
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

/** Reads the file again, applies it and logs what changed. A file with a problem changes nothing. */
async function reload(set: TunnelSet, { file, read }: Config, redactor: Redactor | undefined): Promise<void> {
  const { plans, problems } = await read();
  hideHosts(redactor, plans);
  if (problems.length > 0) {
    problems.forEach(log);
    log(`${file} was not applied; the running tunnels stay unchanged`);
    return;
  }
  const { kept, changed, added, removed } = await set.reload(plans);
  const lists = [
    ["kept", kept],
    ["changed", namesOf(changed)],
    ["new", namesOf(added)],
    ["removed", removed],
  ] as const;
  const changes = lists.flatMap(([what, names]) =>
    names.length === 0 ? [] : `${what}: ${names.join(", ")}`,
  );
  log(`${file} was reloaded; ${changes.join("; ")}`);
}

/** Hides the hosts of these tunnels in every later text. */
export function hideHosts(redactor: Redactor | undefined, plans: readonly TunnelPlan[]): void {
  redactor?.hideNames(plans.flatMap(({ settings }) => hostsOf(settings)));
}

function namesOf(plans: readonly TunnelPlan[]): string[] {
  return plans.map(({ name }) => name);
}

/**
 * SIGINT and SIGTERM: the first one closes the tunnels, a second one ends the process.
 *
 * @param onStop called at the first signal, before anything is closed.
 */
function closeOnSignals(tunnels: { close(): Promise<void> }, onStop: () => void): void {
  let firstAt: number | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (firstAt === undefined) {
        firstAt = performance.now();
        onStop();
        void tunnels.close();
      } else if (performance.now() - firstAt > SAME_SIGNAL_MS) {
        process.exit(128 + constants.signals[signal]);
      }
    });
  }
}

type ServiceState = "READY=1" | "RELOADING=1" | "STOPPING=1";

/**
 * Returns a function that reports a state to the service manager, such as systemd (sd_notify(3)). It does
 * nothing without a service manager (no NOTIFY_SOCKET), or after STOPPING=1.
 */
async function openServiceManager(): Promise<(state: ServiceState) => void> {
  const { NOTIFY_SOCKET } = process.env;
  if (NOTIFY_SOCKET === undefined || process.platform !== "linux") return () => {};
  const { notifySocket } = await import("../net/linux/notify-socket.ts");
  let stopping = false;
  return (state) => {
    if (stopping) return;
    stopping = state === "STOPPING=1";
    notifySocket(NOTIFY_SOCKET, state);
  };
}
