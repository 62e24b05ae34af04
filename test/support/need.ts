/**
 * What a test needs from the machine. Without it the test is skipped and prints how to install it; on CI it
 * fails.
 */

import { test } from "bun:test";
import { readFileSync } from "node:fs";

/** A program from the list in scripts/install-peers, or `root`: the right to create network namespaces. */
export type Need = string;

type TestWithNeeds = (name: string, run: () => void | Promise<void>, timeoutMs?: number) => void;

const LIST = readFileSync(new URL("../../scripts/install-peers", import.meta.url), "utf8");
const PACKAGES = new Map(
  [...LIST.matchAll(/^([\w-]+):([\w-]+)$/gm)].map(([, program = "", name = ""]) => [program, name]),
);

/** Whether an unmet need is a failure: on CI, after scripts/install-peers, and on request. */
const { CI, UDPTUNNEL_REQUIRE_PEERS } = Bun.env;
const REQUIRED = isTrue(CI) || isTrue(UDPTUNNEL_REQUIRE_PEERS);

/** `test`, for a test with these needs. */
export function testNeeding(...needs: Need[]): TestWithNeeds {
  if (areMet(...needs)) return test;
  const unmet = needs.map(unmetNeed).filter((text) => text !== undefined);
  const text = unmet.join("; ");
  return REQUIRED
    ? (name) =>
        test(name, () => {
          throw new Error(text);
        })
    : (name) => test.skip(`${name} (${text})`, () => {});
}

/** Whether this machine meets all needs. */
export function areMet(...needs: Need[]): boolean {
  return needs.every((need) => unmetNeed(need) === undefined);
}

/** How to meet a need; undefined when it is met. */
function unmetNeed(need: Need): string | undefined {
  if (need === "root") return process.getuid?.() === 0 ? undefined : "needs root: run the tests as root";
  const name = PACKAGES.get(need);
  if (name === undefined) throw new Error(`scripts/install-peers does not list ${need}`);
  return Bun.which(need) ? undefined : `needs ${need}: apt-get install ${name}`;
}

function isTrue(value: string | undefined): boolean {
  return value === "true" || value === "1";
}
