import { expect, test } from "bun:test";
import { parseArguments } from "../../src/cli/arguments.ts";
import { longHelp, shortHelp, synopsis } from "../../src/cli/help.ts";
import { OPTIONS } from "../../src/options/table.ts";

const linesOf = (help: string): string[] => help.replace(/\n$/, "").split("\n");

test("the short help and the next prompt fit a screen of 24 lines and 80 columns", () => {
  expect(linesOf(shortHelp()).length).toBeLessThan(24);
  for (const line of linesOf(shortHelp())) expect(line.length).toBeLessThanOrEqual(80);
});

test("the long help has every option with its default and bounds, within 80 columns", () => {
  const lines = linesOf(longHelp());
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  for (const definition of OPTIONS) expect(lines).toContain(`  ${synopsis(definition)}`);
  expect(longHelp().replaceAll(/\s+/g, " ")).toContain(
    "--dead-after SECONDS Close a connection whose peer has been silent",
  );
  expect(longHelp().replaceAll(/\s+/g, " ")).toContain("Default 15, from 2 to 3600.");
});

test("both help texts show two valid examples", () => {
  for (const help of [shortHelp(), longHelp()]) {
    const examples = linesOf(help).filter((line) => /^ {2}udptunnel /.test(line));
    expect(examples).toHaveLength(2);
    for (const example of examples) {
      expect(parseArguments(example.trim().split(" ").slice(1)).kind).toBe("run");
    }
  }
});
