/** An Unbound that serves a local zone, with its default limits. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../scripts/free-ports.ts";
import { RunningProgram } from "../../scripts/running-program.ts";

export class Unbound implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #program: RunningProgram;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
    this.#program = new RunningProgram(["unbound", "-d", "-c", join(folder, "unbound.conf")]);
  }

  /** @param records the address of each name. */
  static async start(records: ReadonlyMap<string, string>): Promise<Unbound> {
    const folder = mkdtempSync(join(tmpdir(), "udptunnel-unbound-"));
    const port = await freePort();
    const lines = [
      "server:",
      `  interface: 127.0.0.1@${port}`,
      `  directory: "${folder}"`,
      '  chroot: ""',
      '  username: ""',
      '  pidfile: ""',
      "  use-syslog: no",
      '  logfile: ""',
      "  verbosity: 1",
      "  module-config: iterator", // needs no trust anchor file
      "  local-zone: test. static",
      ...[...records].map(([name, address]) => `  local-data: "${name}. A ${address}"`),
      "remote-control:",
      "  control-enable: no",
    ];
    writeFileSync(join(folder, "unbound.conf"), `${lines.join("\n")}\n`);
    const unbound = new Unbound(port, folder);
    await unbound.#program.said(/start of service/);
    return unbound;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.stop();
    rmSync(this.#folder, { recursive: true });
  }
}
