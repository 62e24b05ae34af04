/** A TCP peer of a server that sends frames and never reads: what is answered to it has nowhere to go. */

import { connect, type Socket } from "node:net";

const FRAME_BYTES = 1000;
const FRAMES = 50;
const EVERY_MS = 10;

export class StalledPeer implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #timer: ReturnType<typeof setInterval>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const frame = Buffer.alloc(2 + FRAME_BYTES);
    frame.writeUInt16BE(FRAME_BYTES);
    const burst = Buffer.concat(Array.from({ length: FRAMES }, () => frame));
    this.#timer = setInterval(() => {
      if (!socket.writableNeedDrain) socket.write(burst);
    }, EVERY_MS);
  }

  /** @throws Error when there is no server. */
  static async connect(host: string, port: number): Promise<StalledPeer> {
    const socket = connect({ host, port });
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    socket.pause();
    socket.on("error", () => {}); // the server may well throw it out
    return new StalledPeer(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#socket.destroy();
  }
}
