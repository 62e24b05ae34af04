/** `-S` and `-R` of the real program, opposite the original and opposite itself, in either role. */

import { describe, expect } from "bun:test";
import { freePort } from "../../scripts/free-ports.ts";
import { RunningProgram, UDPTUNNEL } from "../../scripts/running-program.ts";
import { UdpApp } from "../support/loopback.ts";
import { testNeeding } from "../support/need.ts";
import { udpSockets } from "../support/udp-sockets.ts";
import { until } from "../support/until.ts";

const OUR_APP = "127.0.0.2";
const PEER_APP = "127.0.0.3";
/** More than the kernel's buffers hold between two programs that do not read. */
const FLOOD_DATAGRAMS = 400;
const FLOOD_BYTES = 60_000;

const isBound = (at: number) => udpSockets().some(({ address, port }) => /^0+$/.test(address) && port === at);

/** Our end with `flag` and a peer without, connected, and an application at either. */
async function connected(flag: string, peerCommand: readonly string[], ourRole: "server" | "client") {
  const stack = new AsyncDisposableStack();
  const ports = { tcp: await freePort(), ours: await freePort(), peers: await freePort() };
  const ends = { server: ["-s", `${ports.tcp}`], client: ["-c", `127.0.0.1/${ports.tcp}`] };
  const run = (command: readonly string[]) => stack.use(new RunningProgram(command));
  const startOurs = () => run([...UDPTUNNEL, "-vv", flag, ...ends[ourRole], `${OUR_APP}/${ports.ours}`]);
  const startPeer = () =>
    run([
      ...peerCommand,
      "-v",
      ...ends[ourRole === "server" ? "client" : "server"],
      `${PEER_APP}/${ports.peers}`,
    ]);
  const first = ourRole === "server" ? startOurs() : startPeer();
  await first.said(/listening/i);
  const second = ourRole === "server" ? startPeer() : startOurs();
  const [ours, peer] = ourRole === "server" ? [first, second] : [second, first];
  await ours.said(/: connected/);
  await until("the peer's UDP port", () => isBound(ports.peers));
  const ourApp = stack.use(await UdpApp.open(ports.ours, OUR_APP));
  const peerApp = stack.use(await UdpApp.open(ports.peers, PEER_APP));
  return { ours, peer, ourApp, peerApp, ports, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Sends until it is heard: the original keeps the last of what it reads to itself until there is more. */
async function untilHeard(from: UdpApp, to: UdpApp, text: string): Promise<void> {
  await until(`"${text}"`, () => {
    from.send(text);
    return to.texts.includes(text);
  });
}

const PEERS = { "the original": ["udptunnel"], "another of ours": UDPTUNNEL };

describe.each(Object.entries(PEERS))("opposite %s", (name, command) => {
  const test = name === "the original" ? testNeeding("udptunnel") : testNeeding();

  for (const role of ["server", "client"] as const) {
    test(`-R as the ${role} sends nothing on UDP, does not block its peer, and notices when it ends`, async () => {
      await using tunnel = await connected("-R", command, role);
      const { ours, peer, ourApp, peerApp } = tunnel;
      const discarded = () =>
        ours.lines.filter((line) => line.includes(`inbound: ${FLOOD_BYTES} bytes`)).length;
      const flood = new Uint8Array(FLOOD_BYTES);
      await until("the flood", () => {
        peerApp.send(flood);
        return discarded() >= FLOOD_DATAGRAMS;
      });
      await untilHeard(ourApp, peerApp, "back");
      expect(ourApp.received).toEqual([]);
      await peer.stop();
      await ours.said(/: disconnected from/);
    });

    test(`-S as the ${role} has no UDP port to listen on, and its end does not go unnoticed`, async () => {
      await using tunnel = await connected("-S", command, role);
      const { ours, peer, ourApp, peerApp, ports } = tunnel;
      await untilHeard(peerApp, ourApp, "through");
      expect(isBound(ports.ours)).toBe(false);
      await ours.stop();
      if (name === "the original") await peer.exited;
      else await peer.said(/: disconnected from .*: closed by peer/);
      expect(peerApp.received).toEqual([]);
    });
  }
});
