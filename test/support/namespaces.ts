/** Test hosts: Linux network namespaces joined by pairs of virtual Ethernet interfaces. Needs root. */

import { afterAll, afterEach, beforeAll } from "bun:test";
import { RunningProgram } from "../../scripts/running-program.ts";
import { areMet } from "./need.ts";

/** An interface and its addresses, each with a prefix length. */
export interface Plug {
  readonly host: string;
  readonly name: string;
  readonly addresses: readonly string[];
}

export class Namespaces implements AsyncDisposable {
  readonly #prefix = `udptunnel-${process.pid}-`;
  readonly #hosts = new Set<string>();
  readonly #programs = new Set<RunningProgram>();

  /** Joins two hosts, and creates them when they do not exist. */
  join(one: Plug, other: Plug): void {
    for (const { host } of [one, other]) this.#addHost(host);
    const peer = ["peer", "name", other.name, "netns", this.#prefix + other.host];
    this.ip(one.host, "link", "add", one.name, "type", "veth", ...peer);
    for (const { host, name, addresses } of [one, other]) {
      // Otherwise the kernel adds a link-local address, and may send from it.
      if (addresses.some((address) => address.startsWith("fe80:")))
        this.ip(host, "link", "set", name, "addrgenmode", "none");
      for (const address of addresses) {
        const flags = address.includes(":") ? ["nodad"] : [];
        this.ip(host, "address", "add", address, "dev", name, ...flags);
      }
      this.ip(host, "link", "set", name, "up");
    }
  }

  /** Runs ip(8) for a host. @throws Error with its stderr when it fails. */
  ip(host: string, ...args: string[]): void {
    run(["ip", "-n", this.#prefix + host, ...args]);
  }

  /** Runs a command on a host and waits for its end. @throws Error with its stderr when it fails. */
  run(host: string, command: readonly string[]): void {
    run(this.#on(host, command));
  }

  /** Starts a program on a host. */
  start(host: string, command: readonly string[]): RunningProgram {
    const program = new RunningProgram(this.#on(host, command));
    this.#programs.add(program);
    return program;
  }

  /** Ends all programs, and keeps the hosts. */
  async stopPrograms(): Promise<void> {
    await Promise.all([...this.#programs].map((program) => program.stop()));
    this.#programs.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopPrograms();
    for (const host of this.#hosts) run(["ip", "netns", "delete", this.#prefix + host]);
  }

  #addHost(host: string): void {
    if (this.#hosts.has(host)) return;
    run(["ip", "netns", "add", this.#prefix + host]);
    this.#hosts.add(host);
    this.ip(host, "link", "set", "lo", "up");
  }

  #on(host: string, command: readonly string[]): string[] {
    return ["ip", "netns", "exec", this.#prefix + host, ...command];
  }
}

/**
 * The hosts of a test file. Its programs end after each test, and the hosts are removed after the last one.
 *
 * @param setUp creates the hosts before the first test, where the tests can run.
 */
export function namespacesForTests(setUp: () => void): Namespaces {
  const namespaces = new Namespaces();
  beforeAll(() => {
    if (areMet("root", "ip", "tc")) setUp();
  });
  afterEach(() => namespaces.stopPrograms());
  afterAll(() => namespaces[Symbol.asyncDispose]());
  return namespaces;
}

function run(command: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([...command], { stdout: "ignore", stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString()}`);
}
