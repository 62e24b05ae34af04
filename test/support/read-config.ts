import type { NamedOption } from "../../src/config/named-options.ts";
import { type ConfigResult, readConfigInSteps } from "../../src/config/read-config.ts";

/** Reads the text of a configuration file in one go. */
export function readConfig(text: string, shared: readonly NamedOption[] = []): ConfigResult {
  const steps = readConfigInSteps(text, shared);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
