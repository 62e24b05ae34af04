/**
 * Loads on a server with a quiet session: a flooding target, a client that does not read, flooding clients.
 */

import { connect, type Socket } from "node:net";
import { type Load, startGenerator } from "./load.ts";
import { BenchProcess } from "./process.ts";
import type { Place } from "./relays.ts";

/** Bun's undocumented flag for SO_REUSEADDR: the sink binds the same address later. */
const REUSE_ADDRESS = 16;

/**
 * Opens a session whose target floods it. The first datagram shows the target from which address the server
 * sends; the flood goes there. The flood's socket is connected, so that the kernel gives it only this
 * session's datagrams (udp(7)).
 */
export async function floodedSession(place: Place, load: Load): Promise<AsyncDisposable> {
  const source = await Bun.udpSocket({ connect: { hostname: "127.0.0.1", port: place.clientPort } });
  const session = Promise.withResolvers<{ address: string; port: number }>();
  const target = await Bun.udpSocket({
    hostname: place.serverApp,
    port: place.serverPort,
    ...{ flags: REUSE_ADDRESS },
    socket: { data: (_socket, _payload, port, address) => session.resolve({ address, port }) },
  });
  source.send("hello");
  const { address, port } = await session.promise;
  target.close();
  const generator = startGenerator(
    { ...place, serverApp: `${place.serverApp}:${place.serverPort}`, serverHost: address, serverPort: port },
    { ...load, direction: "back" },
  );
  return {
    async [Symbol.asyncDispose]() {
      await generator.stop();
      source.close();
    },
  };
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
