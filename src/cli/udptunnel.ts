#!/usr/bin/env bun
/** The program: reads its arguments, does what they ask for, and ends with the right status. */

import { writeSync } from "node:fs";
import packageJson from "../../package.json" with { type: "json" };
import { readConfigFile } from "../config/config-file.ts";
import { parseArguments } from "./arguments.ts";
import { summary } from "./check.ts";
import { EXIT_CLEAN, EXIT_WRONG_USAGE } from "./exit-status.ts";
import { longHelp, shortHelp } from "./help.ts";
import { type Run, run } from "./run.ts";
import { say } from "./say.ts";

/** Runs the program and returns its exit status. */
async function main(argv: string[]): Promise<number> {
  const request = parseArguments(argv, process.env);
  switch (request.kind) {
    case "help":
      return print(request.long ? longHelp() : shortHelp());
    case "version":
      return print(`udptunnel ${packageJson.version}\n`);
    case "wrong":
      return refuse([...request.problems, "udptunnel -h shows how it is used"]);
    case "run": {
      const { settings, program } = request;
      return await runOrCheck({ plans: [{ name: "tunnel", settings }], program });
    }
    case "config": {
      const { file, shared, program } = request;
      const read = () => readConfigFile(file, shared);
      const { plans, problems } = await read();
      return problems.length > 0
        ? refuse(problems)
        : await runOrCheck({ plans, program, config: { file, read } });
    }
  }
}

async function runOrCheck(what: Run): Promise<number> {
  return what.program.check
    ? print(what.plans.map((plan) => `${summary(plan)}\n`).join(""))
    : await run(what);
}

function print(text: string): number {
  writeSync(1, text);
  return EXIT_CLEAN;
}

function refuse(problems: readonly string[]): number {
  problems.forEach(say);
  return EXIT_WRONG_USAGE;
}

process.exit(await main(process.argv.slice(2)));
