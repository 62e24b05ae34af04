import { Secret } from "../../src/options/secret.ts";

/** A secret that must be good. @throws Error with what is wrong with it. */
export function secretOf(given: Uint8Array | string): Secret {
  const reading = Secret.parse(given);
  if ("problem" in reading) throw new Error(reading.problem);
  return reading.value;
}
