/**
 * Interop with Debian's udptunnel 1.1-9, in both roles and both directions at once.
 *
 * What the original cannot do is respected, and worked around here rather than counted against anyone:
 * - It handles one frame per TCP read, so frames that come together stay in its buffer until more data comes. The
 *   sender therefore goes on past the last datagram that is checked, until that one has come out.
 * - An empty datagram makes it exit, so none is sent to it.
 * - On one host its two ends need different loopback addresses, else it feeds on its own output.
 */

import { describe, expect } from "bun:test";
import { RunningProgram, UDPTUNNEL } from "../../scripts/running-program.ts";
import { Application } from "../support/application.ts";
import { freeEvenPort, freePort } from "../support/free-ports.ts";
import { testNeeding } from "../support/need.ts";
import { NumberedStream } from "../support/numbered-stream.ts";

const SERVER_ADDRESS = "127.0.0.2";
const CLIENT_ADDRESS = "127.0.0.3";
const TUNNEL_ADDRESS = "127.0.0.1";

type Role = "server" | "client";

/** A tunnel of which one end is ours and one the original, and an application at either. */
class MixedTunnel implements AsyncDisposable {
  readonly atServer: Application[];
  readonly atClient: Application[];
  readonly #programs = new AsyncDisposableStack();
  readonly #ports: { readonly tcp: number; readonly server: number; readonly client: number };

  private constructor(ports: { tcp: number; server: number; client: number }, links: number) {
    this.#ports = ports;
    const applications = (address: string, port: number) =>
      Array.from({ length: links }, (_, index) =>
        this.#programs.use(Application.open({ address, port: port + index, tunnelAddress: TUNNEL_ADDRESS })),
      );
    this.atServer = applications(SERVER_ADDRESS, ports.server);
    this.atClient = applications(CLIENT_ADDRESS, ports.client);
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
    return tunnel;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#programs.disposeAsync();
  }

  #run(role: Role, ours: boolean, options: readonly string[]): RunningProgram {
    const { tcp, server, client } = this.#ports;
    const ends =
      role === "server"
        ? ["-s", `${tcp}`, ...options, `${SERVER_ADDRESS}/${server}`]
        : ["-c", `${TUNNEL_ADDRESS}/${tcp}`, ...options, `${CLIENT_ADDRESS}/${client}`];
    const program = new RunningProgram([...(ours ? UDPTUNNEL : ["udptunnel"]), "-v", ...ends]);
    return this.#programs.use(program);
  }
}

/** Relays `count` datagrams in either direction at once, each compared, and whatever it takes to push them out. */
async function relayBothWays(
  left: Application,
  right: Application,
  bytes: number,
  count: number,
  perSecond: number,
) {
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
  await arrived;
}

describe.each(["server", "client"] as const)("as the %s of an original", (ourRole) => {
  const test = testNeeding("udptunnel");

  for (const bytes of [1, 172, 1200, 1472]) {
    test(`10,000 datagrams of ${bytes} B each way, 5,000 a second`, async () => {
      await using tunnel = await MixedTunnel.start(ourRole);
      const [left, right] = [tunnel.atServer[0] as Application, tunnel.atClient[0] as Application];
      await relayBothWays(left, right, bytes, 10_000, 5000);
    });
  }

  test("200 datagrams of 65,507 B each way, 50 a second", async () => {
    await using tunnel = await MixedTunnel.start(ourRole);
    const [left, right] = [tunnel.atServer[0] as Application, tunnel.atClient[0] as Application];
    await relayBothWays(left, right, 65_507, 200, 50);
  });

  test("RTP mode: both links of a pair, at once", async () => {
    await using tunnel = await MixedTunnel.start(ourRole, "-r");
    const [rtp, rtcp] = [0, 1].map((index) => [
      tunnel.atServer[index] as Application,
      tunnel.atClient[index] as Application,
    ]) as [[Application, Application], [Application, Application]];
    await Promise.all([relayBothWays(...rtp, 172, 1000, 500), relayBothWays(...rtcp, 60, 100, 50)]);
    expect([rtp[0].received, rtcp[0].received]).toEqual([1000, 100]);
  });
});
