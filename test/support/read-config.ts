import type { NamedOption } from "../../src/config/named-options.ts";
import { type ConfigReading, readConfigInSteps } from "../../src/config/read-config.ts";

/** Reads the text of a configuration file in one go. */
export function readConfig(text: string, shared: readonly NamedOption[] = []): ConfigReading {
  const steps = readConfigInSteps(text, shared);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
