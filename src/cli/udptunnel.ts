#!/usr/bin/env bun
/** The program: reads its arguments, does what they request, and exits with a status. */

import { isIPv6 } from "node:net";
import packageJson from "../../package.json" with { type: "json" };
import { readConfigFile } from "../config/config-file.ts";
import type { TunnelPlan } from "../config/plan.ts";
import { errorCode } from "../net/network.ts";
import type { Settings } from "../options/settings.ts";
import { parseArguments } from "./arguments.ts";
import { longHelp, shortHelp } from "./help.ts";
import { flushStderr, log } from "./log.ts";
import { formatLines } from "./program-log.ts";
import { EXIT_FAILURE, EXIT_OK, EXIT_USAGE, hideHosts, type Run, run } from "./run.ts";
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
      const redactor = formatLines(program);
      return await runOrCheck({ plans: [{ name: "tunnel", settings }], program, redactor });
    }
    case "config": {
      const { file, shared, program } = request;
      const redactor = formatLines(program);
      const read = () => readConfigFile(file, shared);
      const { plans, problems } = await read();
      return problems.length > 0
        ? reportProblems(problems)
        : await runOrCheck({ plans, program, redactor, config: { file, read } });
    }
  }
}

async function runOrCheck(request: Run): Promise<number> {
  const { plans, program, redactor } = request;
  hideHosts(redactor, plans);
  if (!program.check) return await run(request);
  const summaries = plans.map((plan) => `${summary(plan)}\n`).join("");
  return await print(redactor?.text(summaries) ?? summaries);
}

/** Describes a tunnel in one line: where it listens or connects, and its UDP address. */
function summary({ name, settings }: TunnelPlan): string {
  const { target, perSource, rtp } = settings;
  const kind = perSource ? ", a connection for each source" : rtp ? ", RTP and RTCP" : "";
  return `${name}: ${tcpOf(settings)}, UDP ${place(target)}${kind}`;
}

function tcpOf({ listen, connect }: Settings): string {
  if (listen === undefined) return `client of TCP ${connect.map(place).join(", then ")}`;
  const { address, port } = listen;
  return `server on TCP ${address === undefined ? port : place({ host: address, port })}`;
}

function place({ host, port }: { readonly host: string; readonly port: number }): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
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
