#!/usr/bin/env bun
/** The program: reads its arguments, runs one tunnel, prints what it tells, and ends with the right status. */

import { writeSync } from "node:fs";
import packageJson from "../../package.json" with { type: "json" };
import { TunnelError } from "../errors.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import { startTunnel } from "../tunnel/start.ts";
import type { Tunnel } from "../tunnel/tunnel.ts";
import { type Arguments, parseArguments } from "./arguments.ts";
import { describe } from "./describe.ts";
import { longHelp, shortHelp } from "./help.ts";
import { reloadOnHangUp, stopOnSignals } from "./signals.ts";

const EXIT_CLEAN = 0;
const EXIT_CANNOT_RUN = 1;
const EXIT_WRONG_USAGE = 2;

/** Runs the program and returns its exit status. */
async function main(argv: string[]): Promise<number> {
  const request = parseArguments(argv);
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
    case "run":
      return await run(request);
  }
}

async function run({ settings, verbosity }: Extract<Arguments, { kind: "run" }>): Promise<number> {
  try {
    const tunnel: Tunnel = await startTunnel(settings, {
      onEvent: (event, level) => {
        if (level === "warning" || verbosity > 0) say(describe(event));
      },
      trace:
        verbosity > 1
          ? (direction, source, bytes) => say(`${direction}: ${bytes} bytes from ${formatEndpoint(source)}`)
          : undefined,
    });
    stopOnSignals(tunnel);
    if (settings.tls) reloadOnHangUp(tunnel);
    await tunnel.closed;
    return EXIT_CLEAN;
  } catch (error) {
    if (!(error instanceof TunnelError)) throw error;
    say(error.message);
    return EXIT_CANNOT_RUN;
  }
}

/** Writes one line at once: what is said last must not be lost in a buffer when the process ends. */
function say(line: string): void {
  try {
    writeSync(2, `udptunnel: ${line}\n`);
  } catch {
    // Nobody reads stderr any more (EPIPE, or a full pipe without a reader): the tunnel goes on.
  }
}

process.exit(await main(process.argv.slice(2)));
