/**
 * Two network namespaces joined by a cable that carries TCP only: a policy in each sends UDP into a blackhole
 * (ip-rule(8), ipproto). WireGuard can be set up in each, with wireguard-go.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";
import { RunningProgram } from "../../scripts/running-program.ts";

export const OUTSIDE = { near: "10.77.0.1", far: "10.77.0.2" };
export const INSIDE = { near: "10.78.0.1", far: "10.78.0.2" };
/** The minimum for IPv6 (RFC 8200, 5). On a stream, longer packets gain little. */
const MTU = 1280;
const SIDES = ["near", "far"] as const;

export type Side = (typeof SIDES)[number];

export class TwoHosts implements AsyncDisposable {
  readonly #name = `udpt${process.pid}`;
  readonly #folder = mkdtempSync(join(tmpdir(), "udptunnel-wireguard-"));
  readonly #programs: RunningProgram[] = [];

  static async open(): Promise<TwoHosts> {
    const hosts = new TwoHosts();
    const [near, far] = SIDES.map((side) => hosts.space(side));
    await $`ip netns add ${near} && ip netns add ${far}`;
    await $`ip -n ${near} link add cable type veth peer name cable netns ${far}`;
    for (const side of SIDES) {
      const space = hosts.space(side);
      await $`ip -n ${space} link set lo up && ip -n ${space} link set cable up`;
      await $`ip -n ${space} address add ${OUTSIDE[side]}/24 dev cable`;
      await $`ip -n ${space} rule add priority 100 ipproto udp to 10.77.0.0/24 blackhole`;
    }
    return hosts;
  }

  /** The name of a side's namespace. */
  space(side: Side): string {
    return `${this.#name}-${side}`;
  }

  /** Starts a program at one side. It runs until this object is disposed of. */
  start(side: Side, command: readonly string[]): RunningProgram {
    const program = new RunningProgram(["ip", "netns", "exec", this.space(side), ...command]);
    this.#programs.push(program);
    return program;
  }

  /** Sets WireGuard up with a new key. @param port 0 for any. @returns the public key. */
  async addWireguard(side: Side, port: number): Promise<string> {
    const space = this.space(side);
    const device = this.#device(side);
    const key = (await $`wg genkey`.text()).trim();
    const file = join(this.#folder, side);
    writeFileSync(file, key, { mode: 0o600 });
    this.start(side, ["wireguard-go", "-f", device]);
    while ((await $`ip netns exec ${space} wg show ${device}`.quiet().nothrow()).exitCode !== 0)
      await Bun.sleep(20);
    await $`ip netns exec ${space} wg set ${device} listen-port ${port} private-key ${file}`;
    await $`ip -n ${space} address add ${INSIDE[side]}/24 dev ${device}`;
    await $`ip -n ${space} link set ${device} mtu ${MTU} up`;
    return (await $`echo ${key} | wg pubkey`.text()).trim();
  }

  /** Makes the other side, with this public key, the WireGuard peer of `side`. */
  async setPeer(side: Side, key: string, ...more: string[]): Promise<void> {
    const allowed = `${side === "near" ? INSIDE.far : INSIDE.near}/32`;
    const wg = ["wg", "set", this.#device(side), "peer", key, "allowed-ips", allowed, ...more];
    await $`ip netns exec ${this.space(side)} ${wg}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.stop()));
    for (const side of SIDES) await $`ip netns delete ${this.space(side)}`.nothrow();
    rmSync(this.#folder, { recursive: true });
  }

  #device(side: Side): string {
    return `${this.#name}${side[0]}`;
  }
}
