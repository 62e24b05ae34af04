/**
 * A WireGuard tunnel between two network namespaces, with a third one in the middle, for the time of one
 * measurement:
 *
 *     near: wireguard-go, applications --veth-- middle: both ends of a relay --veth-- far: the same as near
 *
 * The ends of the relay have a namespace of their own because some relays have the same port as their
 * application. Without a relay, the middle is a router.
 */

import { generateKeyPairSync } from "node:crypto";
import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import { inside, ip, Namespaces, runOrThrow } from "./namespaces.ts";
import { BenchProcess } from "./process.ts";

/** Addresses of the two outer namespaces, and of the middle for each (RFC 2544: 198.18.0.0/15). */
export const NEAR = "198.18.0.2";
export const FAR = "198.18.0.6";
export const MIDDLE_FOR_NEAR = "198.18.0.1";
const MIDDLE_FOR_FAR = "198.18.0.5";
/** Addresses inside the WireGuard tunnel. */
const NEAR_INSIDE = "198.18.1.1";
export const FAR_INSIDE = "198.18.1.2";
/** The directory of the control sockets of wireguard-go. */
export const CONTROL_SOCKETS = "/var/run/wireguard";
const TUN = "/dev/net/tun";
const PROGRAMS = ["ip", "wireguard-go", "wg", "iperf3", "ping"];
const READY_MS = 5000;
const POLL_MS = 5;

/** The reason why WireGuard cannot be measured on this machine; undefined when it can. */
export function whyNoWireGuard(): string | undefined {
  const missing = PROGRAMS.filter((program) => Bun.which(program) === null);
  if (missing.length > 0) return `${missing.join(", ")} not on the PATH`;
  if (process.getuid?.() !== 0) return "network namespaces need root";
  try {
    closeSync(openSync(TUN, "r+"));
  } catch (error) {
    return `${TUN} cannot be opened: ${error instanceof Error ? error.message : error}`;
  }
  return undefined;
}

let created = 0;

export class WireGuard implements AsyncDisposable {
  /** Prefixes of commands in each namespace. */
  readonly near: readonly string[];
  readonly middle: readonly string[];
  readonly far: readonly string[];
  readonly #namespaces: Namespaces;
  readonly #interfaces: readonly [near: string, far: string];
  #processes: BenchProcess[] = [];

  /** Creates the namespaces and their links. @throws Error when one cannot be created. */
  constructor() {
    this.#namespaces = new Namespaces(["near", "middle", "far"]);
    process.on("exit", this.#removeControl);
    const [near, middle, far] = this.#namespaces.names as [string, string, string];
    [this.near, this.middle, this.far] = [inside(near), inside(middle), inside(far)];
    const number = created++;
    // At most 15 characters, and unique on this host: the control sockets share one directory.
    this.#interfaces = [`ub${process.pid}n${number}`, `ub${process.pid}f${number}`];
    try {
      connect(near, NEAR, middle, MIDDLE_FOR_NEAR, "to-near");
      connect(far, FAR, middle, MIDDLE_FOR_FAR, "to-far");
    } catch (error) {
      this.#remove();
      throw error;
    }
  }

  /** Makes the middle a router between the outer namespaces. */
  route(): void {
    runOrThrow([...this.middle, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    const [near, , far] = this.#namespaces.names as [string, string, string];
    ip("-n", near, "route", "add", "default", "via", MIDDLE_FOR_NEAR);
    ip("-n", far, "route", "add", "default", "via", MIDDLE_FOR_FAR);
  }

  /**
   * Starts both ends of the WireGuard tunnel. The far end learns the address of the near end from its first
   * packet.
   *
   * @param endpoint the address to which the near end sends.
   */
  async start(nearPort: number, farPort: number, endpoint: string): Promise<void> {
    const [near, , far] = this.#namespaces.names as [string, string, string];
    const [nearInterface, farInterface] = this.#interfaces;
    const [nearKeys, farKeys] = [keyPair(), keyPair()];
    for (const [namespace, name] of [
      [far, farInterface],
      [near, nearInterface],
    ] as const) {
      await this.#startProgram(namespace, name);
    }
    configure(far, farInterface, FAR_INSIDE, [
      ...["[Interface]", `PrivateKey = ${farKeys.private}`, `ListenPort = ${farPort}`],
      ...["[Peer]", `PublicKey = ${nearKeys.public}`, `AllowedIPs = ${NEAR_INSIDE}/32`],
    ]);
    configure(near, nearInterface, NEAR_INSIDE, [
      ...["[Interface]", `PrivateKey = ${nearKeys.private}`, `ListenPort = ${nearPort}`],
      ...["[Peer]", `PublicKey = ${farKeys.public}`, `AllowedIPs = ${FAR_INSIDE}/32`],
      `Endpoint = ${endpoint}`,
    ]);
  }

  async #startProgram(namespace: string, name: string): Promise<void> {
    const program = new BenchProcess("wireguard-go", [...inside(namespace), "wireguard-go", "-f", name]);
    this.#processes.push(program);
    const from = performance.now();
    while (!existsSync(controlSocket(name))) {
      if (program.ended) throw new Error(program.lastLines);
      if (performance.now() - from > READY_MS) throw new Error(`${program.lastLines}; not ready after 5 s`);
      await Bun.sleep(POLL_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map((program) => program.stop()));
    this.#remove();
  }

  #remove(): void {
    this.#removeControl();
    this.#namespaces[Symbol.dispose]();
  }

  /** A killed wireguard-go leaves its control socket. */
  readonly #removeControl = (): void => {
    process.off("exit", this.#removeControl);
    for (const name of this.#interfaces ?? []) rmSync(controlSocket(name), { force: true });
  };
}

function controlSocket(name: string): string {
  return `${CONTROL_SOCKETS}/${name}.sock`;
}

/** Connects a namespace to the middle by a pair of veth devices. */
function connect(outer: string, address: string, middle: string, gateway: string, device: string): void {
  ip("-n", middle, "link", "add", device, "type", "veth", "peer", "name", "uplink", "netns", outer);
  for (const [namespace, name, own] of [
    [outer, "uplink", address],
    [middle, device, gateway],
  ] as const) {
    ip("-n", namespace, "address", "add", `${own}/30`, "dev", name);
    ip("-n", namespace, "link", "set", name, "up");
  }
}

function configure(namespace: string, name: string, address: string, lines: readonly string[]): void {
  runOrThrow([...inside(namespace), "wg", "setconf", name, "/dev/stdin"], `${lines.join("\n")}\n`);
  ip("-n", namespace, "address", "add", `${address}/24`, "dev", name);
  ip("-n", namespace, "link", "set", name, "up");
}

/** Keys of Curve25519 in base64, as wg(8) reads them. */
function keyPair(): { private: string; public: string } {
  const { d, x } = generateKeyPairSync("x25519").privateKey.export({ format: "jwk" });
  const base64 = (text = "") => Buffer.from(text, "base64url").toString("base64");
  return { private: base64(d), public: base64(x) };
}
