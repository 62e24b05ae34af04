import { Secret } from "../../src/options/secret.ts";

/** Makes a secret. @throws Error when it is not valid. */
export function secretOf(given: Uint8Array | string): Secret {
  const result = Secret.parse(given);
  if ("problem" in result) throw new Error(result.problem);
  return result.value;
}
