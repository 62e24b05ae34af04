/** What a test needs of the machine: without it the test is skipped, and says how to get it; where CI runs it fails. */

import { test } from "bun:test";
import { readFileSync } from "node:fs";

/** A program of the list in scripts/install-peers, or `root`: the rights to make network namespaces. */
export type Need = string;

type TestWithNeeds = (name: string, run: () => void | Promise<void>, timeoutMs?: number) => void;

const LIST = readFileSync(new URL("../../scripts/install-peers", import.meta.url), "utf8");
const PACKAGES = new Map(
  [...LIST.matchAll(/^([\w-]+):([\w-]+)$/gm)].map(([, program = "", name = ""]) => [program, name]),
);

/** Whether a lack is a failure: on CI, where scripts/install-peers has run, and wherever somebody asks for it. */
const { CI, UDPTUNNEL_REQUIRE_PEERS } = Bun.env;
const REQUIRED = isTrue(CI) || isTrue(UDPTUNNEL_REQUIRE_PEERS);

/** `test` for what needs these. */
export function testNeeding(...needs: Need[]): TestWithNeeds {
  const lacks = needs.map(lack).filter((text) => text !== undefined);
  if (lacks.length === 0) return test;
  const text = lacks.join("; ");
  return REQUIRED
    ? (name) =>
        test(name, () => {
          throw new Error(text);
        })
    : (name) => test.skip(`${name} (${text})`, () => {});
}

/** What to do about a need that is not met; undefined when it is. */
function lack(need: Need): string | undefined {
  if (need === "root") return process.getuid?.() === 0 ? undefined : "needs root: run the tests as root";
  const name = PACKAGES.get(need);
  if (name === undefined) throw new Error(`scripts/install-peers does not list ${need}`);
  return Bun.which(need) ? undefined : `needs ${need}: apt-get install ${name}`;
}

function isTrue(value: string | undefined): boolean {
  return value === "true" || value === "1";
}
