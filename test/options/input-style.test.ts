import { describe, expect, test } from "bun:test";
import { asGiven, COMMAND_LINE, CONFIG_FILE, LIBRARY, variableOf } from "../../src/options/input-style.ts";

describe("each reader's spelling", () => {
  test.each([
    ["secretFile", "--secret-file", "secret-file", "UDPTUNNEL_SECRET_FILE"],
    ["deadAfterMs", "--dead-after", "dead-after", "UDPTUNNEL_DEAD_AFTER"],
    ["listen", "--server", "server", "UDPTUNNEL_SERVER"],
    ["target", "UDP address", "target", "UDPTUNNEL_TARGET"],
  ])("%s", (key, flag, name, variable) => {
    const styles = [LIBRARY, COMMAND_LINE, CONFIG_FILE];
    expect(styles.map(({ nameOf }) => nameOf(key))).toEqual([key, flag, name]);
    expect(variableOf(name)).toBe(variable);
  });
});

test("an option that only the environment and the library accept is named by its variable, or its key", () => {
  const styles = [LIBRARY, COMMAND_LINE, CONFIG_FILE];
  const variable = variableOf("secret");
  expect(styles.map(({ nameOf }) => nameOf("secret"))).toEqual(["secret", variable, variable]);
});

test("an option is named as it was given, other options in the style", () => {
  const { nameOf, notation } = asGiven(COMMAND_LINE, new Map([["perSource", "-p"]]));
  expect([nameOf("perSource"), nameOf("rtp"), notation]).toEqual(["-p", "--rtp", "written"]);
});
