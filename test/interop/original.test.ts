/**
 * Interop with Debian's udptunnel 1.1-9, in both roles and both directions at once.
 *
 * What the original cannot do is respected, and worked around here rather than counted against anyone:
 * - It handles one frame per TCP read, so frames that come together stay in its buffer until more data comes. The
 *   sender therefore goes on past the last datagram that is checked, until that one has come out.
 * - An empty datagram makes it exit, so none is sent to it.
 * - It says that it is connected before its UDP port is bound, so that is looked up with the kernel.
 * - On one host its two ends need different loopback addresses, else it feeds on its own output.
 */

import { describe } from "bun:test";
import { setPriority } from "node:os";
import { freeEvenPort, freePort } from "../../scripts/free-ports.ts";
import { RunningProgram, UDPTUNNEL } from "../../scripts/running-program.ts";
import { Application } from "../support/application.ts";
import { testNeeding } from "../support/need.ts";
import { NumberedStream } from "../support/numbered-stream.ts";
import { udpSockets } from "../support/udp-sockets.ts";

const SERVER_ADDRESS = "127.0.0.2";
const CLIENT_ADDRESS = "127.0.0.3";
const TUNNEL_ADDRESS = "127.0.0.1";

/** How often a run may be lost to a busy machine. */
const ATTEMPTS = 5;
const TIMEOUT_MS = 60_000;

/** How long the last datagrams may be on their way. */
const LAST_WAIT_MS = 1000;

type Role = "server" | "client";
type Ends = readonly [Application, Application];

/** A tunnel of which one end is ours and one the original, and an application at either. */
class MixedTunnel implements AsyncDisposable {
  readonly #ends: readonly Ends[];
  readonly #programs = new AsyncDisposableStack();
  readonly #ports: { readonly tcp: number; readonly server: number; readonly client: number };

  private constructor(ports: { tcp: number; server: number; client: number }, links: number) {
    this.#ports = ports;
    const application = (address: string, port: number) =>
      this.#programs.use(Application.open({ address, port, tunnelAddress: TUNNEL_ADDRESS }));
    this.#ends = Array.from({ length: links }, (_, index) => [
      application(SERVER_ADDRESS, ports.server + index),
      application(CLIENT_ADDRESS, ports.client + index),
    ]);
  }

  /** Settles when the connection is up. */
  static async start(ourRole: Role, ...options: string[]): Promise<MixedTunnel> {
    const rtp = options.includes("-r");
    const free = rtp ? freeEvenPort : freePort;
    const ports = { tcp: await free(), server: await free(), client: await free() };
    const tunnel = new MixedTunnel(ports, rtp ? 2 : 1);
    const server = tunnel.#run("server", ourRole === "server", options);
    await server.said(/listening/i);
    if (rtp && ourRole === "client") await server.said(new RegExp(`port ${ports.tcp + 1}$`));
    const client = tunnel.#run("client", ourRole === "client", options);
    await (ourRole === "server" ? server : client).said(/: connected/);
    while (!tunnel.#isBound()) await Bun.sleep(1);
    return tunnel;
  }

  /** The applications at the server's and at the client's end of link `index`. */
  link(index: number): Ends {
    return this.#ends[index] as Ends;
  }

  /** How many datagrams the kernel has dropped at this tunnel's sockets, for want of time to read them. */
  kernelDrops(): number {
    return this.#sockets().reduce((sum, { drops }) => sum + drops, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#programs.disposeAsync();
  }

  #isBound(): boolean {
    const anyAddress = this.#sockets().filter(({ address }) => /^0+$/.test(address));
    return anyAddress.length === 2 * this.#ends.length;
  }

  #sockets() {
    const { server, client } = this.#ports;
    const ports = new Set(this.#ends.flatMap((_, index) => [server + index, client + index]));
    return udpSockets().filter(({ port }) => ports.has(port));
  }

  #run(role: Role, ours: boolean, options: readonly string[]): RunningProgram {
    const { tcp, server, client } = this.#ports;
    const ends =
      role === "server"
        ? ["-s", `${tcp}`, ...options, `${SERVER_ADDRESS}/${server}`]
        : ["-c", `${TUNNEL_ADDRESS}/${tcp}`, ...options, `${CLIENT_ADDRESS}/${client}`];
    const program = new RunningProgram([...(ours ? UDPTUNNEL : ["udptunnel"]), "-v", ...ends]);
    prefer(program.pid);
    return this.#programs.use(program);
  }
}

/** Lets a relay run before whatever else the machine is busy with, where that is allowed: it loses less. */
function prefer(pid: number): void {
  try {
    setPriority(pid, -15);
  } catch {}
}

/** Relays `count` datagrams in either direction at once, each compared, and whatever it takes to push them out. */
async function relayBothWays(ends: Ends, bytes: number, count: number, perSecond: number) {
  const [left, right] = ends;
  const toRight = new NumberedStream(1, bytes);
  const toLeft = new NumberedStream(2, bytes);
  const arrived = Promise.all([right.expect(toRight, count), left.expect(toLeft, count)]);
  let failed = false;
  arrived.catch(() => {
    failed = true;
  });
  // The original's buffer holds 64 KiB: after as many more frames as fit, nothing can be stuck in it.
  const last = count + Math.ceil(65_536 / (bytes + 2)) + 1;
  const isOver = (receiver: Application) => (number: number) =>
    failed || receiver.received === count || number > last;
  await Promise.all([
    left.send(toRight, 0, perSecond, isOver(right)),
    right.send(toLeft, 0, perSecond, isOver(left)),
  ]);
  await Promise.race([arrived, Bun.sleep(LAST_WAIT_MS)]);
  if (!failed && (left.received < count || right.received < count)) {
    throw new Error(`of ${count} datagrams only ${right.received} went right and ${left.received} left`);
  }
  await arrived;
}

/**
 * Starts a tunnel for a run through it. A run that fails where the kernel has dropped datagrams says nothing: a
 * program got no time to read them, and the original's socket buffers cannot be made larger. It is tried again.
 */
async function inQuiet(
  ourRole: Role,
  options: readonly string[],
  run: (tunnel: MixedTunnel) => Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    await using tunnel = await MixedTunnel.start(ourRole, ...options);
    try {
      return await run(tunnel);
    } catch (error) {
      const drops = tunnel.kernelDrops();
      if (drops === 0 || attempt === ATTEMPTS) throw error;
      process.stderr.write(`attempt ${attempt}: the kernel dropped ${drops} datagrams; once more\n`);
    }
  }
}

describe.each(["server", "client"] as const)("as the %s of an original", (ourRole) => {
  const test = testNeeding("udptunnel");

  for (const bytes of [1, 172, 1200, 1472]) {
    test(
      `10,000 datagrams of ${bytes} B each way, 5,000 a second`,
      async () => {
        await inQuiet(ourRole, [], (tunnel) => relayBothWays(tunnel.link(0), bytes, 10_000, 5000));
      },
      TIMEOUT_MS,
    );
  }

  test(
    "200 datagrams of 65,507 B each way, 50 a second",
    async () => {
      await inQuiet(ourRole, [], (tunnel) => relayBothWays(tunnel.link(0), 65_507, 200, 50));
    },
    TIMEOUT_MS,
  );

  test(
    "RTP mode: both links of a pair at once",
    async () => {
      await inQuiet(ourRole, ["-r"], async (tunnel) => {
        const rtp = relayBothWays(tunnel.link(0), 172, 1000, 500);
        const rtcp = relayBothWays(tunnel.link(1), 60, 100, 50);
        await Promise.all([rtp, rtcp]);
      });
    },
    TIMEOUT_MS,
  );
});
