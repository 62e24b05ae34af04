import { expect, test } from "bun:test";
import { parseArguments } from "../../src/cli/arguments.ts";
import { synopsis } from "../../src/cli/help.ts";
import { OPTIONS } from "../../src/options/table.ts";
import { testNeeding } from "../support/need.ts";

const PAGE = new URL("../../man/udptunnel.1", import.meta.url).pathname;

function runs(...command: string[]) {
  const { stdout, stderr, exitCode } = Bun.spawnSync(command, {
    env: { ...Bun.env, LC_ALL: "C.UTF-8", MANWIDTH: "200", MAN_KEEP_FORMATTING: "" },
  });
  return { text: stdout.toString(), complaints: stderr.toString(), exitCode };
}

testNeeding("man")("man shows every section and every option, and groff has no warnings", () => {
  const { text, complaints, exitCode } = runs("man", "--warnings", "--no-hyphenation", "-l", PAGE);
  expect({ complaints, exitCode }).toEqual({ complaints: "", exitCode: 0 });
  expect(text.match(/^[A-Z].*/gm)?.slice(1)).toEqual([
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "OPTIONS",
    "EXIT STATUS",
    "SIGNALS",
    "ENVIRONMENT",
    "FILES",
    "EXAMPLES",
    "SEE ALSO",
  ]);
  const heads = text.split("\n").filter((line) => /^ {7}\S/.test(line));
  for (const definition of OPTIONS)
    expect(heads.some((line) => line.startsWith(`${" ".repeat(7)}${synopsis(definition)}`))).toBe(true);
});

testNeeding("mandoc")("mandoc has no warnings", () => {
  expect(runs("mandoc", "-Tlint", "-W", "warning", PAGE)).toEqual({ text: "", complaints: "", exitCode: 0 });
});

test("the examples of the page are valid command lines", async () => {
  const text = await Bun.file(PAGE).text();
  const examples = text.replaceAll("\\-", "-").match(/^udptunnel (?=.*-[cs] ).*/gm) ?? [];
  expect(examples).toHaveLength(6);
  for (const example of examples)
    expect(parseArguments(example.split(" ").slice(1))).toMatchObject({ kind: "run" });
});
