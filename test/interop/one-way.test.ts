/** `-S` and `-R` of the real program, with the original or itself as peer, in either role. */

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

/** Our end with `flag`, connected to a peer without it, and an application at each end. */
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

/** Sends until `to` has received: the original relays the last frame of a read only after more data. */
async function sendUntilReceived(from: UdpApp, to: UdpApp, text: string): Promise<void> {
  await until(`"${text}"`, () => {
    from.send(text);
    return to.texts.includes(text);
  });
}

const PEERS = { "the original": ["udptunnel"], itself: UDPTUNNEL };

describe.each(Object.entries(PEERS))("with %s as peer", (name, command) => {
  const test = name === "the original" ? testNeeding("udptunnel") : testNeeding();

  for (const role of ["server", "client"] as const) {
    test(`-R as ${role} sends nothing on UDP, does not block its peer, and detects its end`, async () => {
      await using tunnel = await connected("-R", command, role);
      const { ours, peer, ourApp, peerApp } = tunnel;
      const discarded = () =>
        ours.lines.filter((line) => line.includes(`inbound: ${FLOOD_BYTES} bytes`)).length;
      const flood = new Uint8Array(FLOOD_BYTES);
      await until("the flood", () => {
        peerApp.send(flood);
        return discarded() >= FLOOD_DATAGRAMS;
      });
      await sendUntilReceived(ourApp, peerApp, "back");
      expect(ourApp.received).toEqual([]);
      await peer.stop();
      await ours.said(/: disconnected from/);
    });

    test(`-S as ${role} does not bind the UDP port, and its peer detects its end`, async () => {
      await using tunnel = await connected("-S", command, role);
      const { ours, peer, ourApp, peerApp, ports } = tunnel;
      await sendUntilReceived(peerApp, ourApp, "through");
      expect(isBound(ports.ours)).toBe(false);
      await ours.stop();
      if (name === "the original") await peer.exited;
      else await peer.said(/: disconnected from .*: closed by peer/);
      expect(peerApp.received).toEqual([]);
    });
  }
});
