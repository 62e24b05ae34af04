#!/usr/bin/env bun
/** The program: reads its arguments, does what they request, and exits with a status. */

import packageJson from "../../package.json" with { type: "json" };
import { readConfigFile } from "../config/config-file.ts";
import { errorCode } from "../net/network.ts";
import { parseArguments } from "./arguments.ts";
import { summary } from "./check.ts";
import { longHelp, shortHelp } from "./help.ts";
import { flushStderr, log } from "./log.ts";
import { EXIT_FAILURE, EXIT_OK, EXIT_USAGE, type Run, run } from "./run.ts";
import { writeAll } from "./write-all.ts";

/** Runs the program and returns its exit status. */
async function main(argv: string[]): Promise<number> {
  const request = parseArguments(argv, process.env);
  switch (request.kind) {
    case "help":
      return await print(request.long ? longHelp() : shortHelp());
    case "version":
      return await print(`udptunnel ${packageJson.version}\n`);
    case "invalid":
      return reportProblems([...request.problems, "udptunnel -h shows how it is used"]);
    case "run": {
      const { settings, program } = request;
      return await runOrCheck({ plans: [{ name: "tunnel", settings }], program });
    }
    case "config": {
      const { file, shared, program } = request;
      const read = () => readConfigFile(file, shared);
      const { plans, problems } = await read();
      return problems.length > 0
        ? reportProblems(problems)
        : await runOrCheck({ plans, program, config: { file, read } });
    }
  }
}

async function runOrCheck(request: Run): Promise<number> {
  return request.program.check
    ? await print(request.plans.map((plan) => `${summary(plan)}\n`).join(""))
    : await run(request);
}

/**
 * Writes the requested text to stdout. It is not an error when the reader closes it early, as `head` does.
 */
async function print(text: string): Promise<number> {
  try {
    await writeAll(1, text);
  } catch (error) {
    const code = errorCode(error);
    if (code === "EPIPE") return EXIT_OK;
    log(`cannot write to stdout: ${code}`);
    return EXIT_FAILURE;
  }
  return EXIT_OK;
}

function reportProblems(problems: readonly string[]): number {
  problems.forEach(log);
  return EXIT_USAGE;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} finally {
  await flushStderr();
}
process.exit();
