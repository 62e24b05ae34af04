import type { readConfigFile } from "../config/config-file.ts";
import type { TunnelPlan } from "../config/plan.ts";
import { log } from "./log.ts";
import type { TunnelSet } from "./tunnel-set.ts";

/** A configuration file. */
export interface Config {
  /** Its name, for messages. */
  readonly file: string;
  readonly read: () => ReturnType<typeof readConfigFile>;
}

/** Reads the file again, makes the tunnels run that it describes, and says which; a file with a problem changes nothing. */
export async function reload(set: TunnelSet, { file, read }: Config): Promise<void> {
  const { plans, problems } = await read();
  if (problems.length > 0) {
    problems.forEach(log);
    log(`${file} is not used; the tunnels go on as they are`);
    return;
  }
  const { kept, changed, added, removed } = await set.reload(plans);
  const fates = [
    ["kept", kept],
    ["changed", namesOf(changed)],
    ["new", namesOf(added)],
    ["removed", removed],
  ] as const;
  const told = fates.flatMap(([fate, names]) => (names.length === 0 ? [] : `${fate}: ${names.join(", ")}`));
  log(`${file} was read again; ${told.join("; ")}`);
}

function namesOf(plans: readonly TunnelPlan[]): string[] {
  return plans.map(({ name }) => name);
}
