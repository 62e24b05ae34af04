/**
 * Loads on a server with a quiet session: flooding targets, a client that does not read, flooding clients.
 */

import { connect, type Socket } from "node:net";
import { openKernel } from "./kernel.ts";
import { type Load, startGenerator } from "./load.ts";
import { BenchProcess } from "./process.ts";
import type { Place } from "./relays.ts";
import { ignoreShort } from "./short-filter.ts";

/** Bun's undocumented flag for SO_REUSEADDR: the sink binds the same address later. */
const REUSE_ADDRESS = 16;

/** No datagram is this long: the kernel drops all of them, so that the flood costs this process nothing. */
const ANY_LENGTH = 65_536;
/** A source without an answer of the relay says hello again. */
const HELLO_AGAIN_MS = 500;

/**
 * Opens sessions whose targets flood them, at the rate of the load in all. The first datagram of a session
 * shows the target from which address the server sends; the flood goes there. The sockets of the flood are
 * connected, so that the kernel gives each only the datagrams of its session (udp(7)).
 */
export async function floodedSessions(place: Place, count: number, load: Load): Promise<AsyncDisposable> {
  const sources = await Promise.all(
    Array.from({ length: count }, () =>
      Bun.udpSocket({ connect: { hostname: "127.0.0.1", port: place.clientPort } }),
    ),
  );
  const sessions = await greet(place, sources);
  const { libc } = openKernel();
  for (const source of sources) ignoreShort(libc, (source as unknown as { fd: number }).fd, ANY_LENGTH);
  const from = { ...place, serverApp: `${place.serverApp}:${place.serverPort}` };
  const generator = startGenerator(from, { ...load, direction: "back" }, sessions);
  return {
    async [Symbol.asyncDispose]() {
      await generator.stop();
      for (const source of sources) source.close();
    },
  };
}

/** Opens a session for each source. @returns the addresses from which the server sends, one per session. */
async function greet(place: Place, sources: readonly Bun.udp.ConnectedSocket<"buffer">[]): Promise<string[]> {
  const sessions = new Set<string>();
  const opened = Promise.withResolvers<void>();
  const target = await Bun.udpSocket({
    hostname: place.serverApp,
    port: place.serverPort,
    ...{ flags: REUSE_ADDRESS },
    socket: {
      data: (_socket, _payload, port, address) => {
        if (sessions.add(`${address}:${port}`).size === sources.length) opened.resolve();
      },
    },
  });
  const hello = () => {
    for (const source of sources) source.send("hello");
  };
  const again = setInterval(hello, HELLO_AGAIN_MS);
  hello();
  await opened.promise;
  clearInterval(again);
  target.close();
  return [...sessions];
}

const FRAME_BYTES = 1000;
const BURST_FRAMES = 50;
const BURST_INTERVAL_MS = 10;

/** A TCP client that sends frames and never reads: the server cannot deliver the answers. */
export class StalledPeer implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #timer: ReturnType<typeof setInterval>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const frame = Buffer.alloc(2 + FRAME_BYTES);
    frame.writeUInt16BE(FRAME_BYTES);
    const burst = Buffer.concat(Array.from({ length: BURST_FRAMES }, () => frame));
    this.#timer = setInterval(() => {
      if (!socket.writableNeedDrain) socket.write(burst);
    }, BURST_INTERVAL_MS);
  }

  /** @throws Error when there is no server. */
  static async connect(host: string, port: number): Promise<StalledPeer> {
    const socket = connect({ host, port });
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    socket.pause();
    socket.on("error", () => {}); // the server may reset it
    return new StalledPeer(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#socket.destroy();
  }
}

/**
 * Starts TCP clients that send frames of 8 bytes as fast as the server reads them, all in one process of
 * their own. Settles when the first frames are sent.
 *
 * @throws Error when there is no server.
 */
export async function floodingPeers({ tcpPort }: Place, count: number): Promise<AsyncDisposable> {
  const program = new URL("flooding-peers-program.ts", import.meta.url).pathname;
  const peers = new BenchProcess("flooding peers", [process.execPath, program, `${tcpPort}`, `${count}`]);
  await peers.message("flooding");
  return { [Symbol.asyncDispose]: () => peers.stop() };
}
