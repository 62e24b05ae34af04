#!/usr/bin/env bun
/** The program: reads its arguments, does what they ask for, and ends with the right status. */

import { writeSync } from "node:fs";
import packageJson from "../../package.json" with { type: "json" };
import { parseArguments } from "./arguments.ts";
import { EXIT_CLEAN, EXIT_WRONG_USAGE } from "./exit-status.ts";
import { longHelp, shortHelp } from "./help.ts";
import { run } from "./run.ts";
import { say } from "./say.ts";

/** Runs the program and returns its exit status. */
async function main(argv: string[]): Promise<number> {
  const request = parseArguments(argv, process.env);
  switch (request.kind) {
    case "help":
      writeSync(1, request.long ? longHelp() : shortHelp());
      return EXIT_CLEAN;
    case "version":
      writeSync(1, `udptunnel ${packageJson.version}\n`);
      return EXIT_CLEAN;
    case "wrong":
      for (const problem of request.problems) say(problem);
      say("udptunnel -h shows how it is used");
      return EXIT_WRONG_USAGE;
    case "run": {
      const { settings, program } = request;
      return await run({ plans: [{ name: "tunnel", settings }], program, named: false });
    }
  }
}

process.exit(await main(process.argv.slice(2)));
