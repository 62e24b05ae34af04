/**
 * A minimal relay with one TCP connection per UDP source, for tests of the scenarios of per-source mode:
 *
 *     bun naive-relay.ts server TCP-PORT TARGET-ADDRESS TARGET-PORT
 *     bun naive-relay.ts client SERVER-ADDRESS TCP-PORT UDP-PORT
 */

import { createSocket } from "node:dgram";
import { connect, createServer, type Socket } from "node:net";

const [side, first = "", second = "", third = ""] = process.argv.slice(2);

function frame(payload: Buffer): Buffer {
  const header = Buffer.alloc(2);
  header.writeUInt16BE(payload.length);
  return Buffer.concat([header, payload]);
}

function onFrames(stream: Socket, take: (payload: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  stream.on("error", () => {});
  stream.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
      const end = 2 + rest.readUInt16BE(0);
      take(rest.subarray(2, end));
      rest = rest.subarray(end);
    }
  });
}

if (side === "server") {
  createServer((stream) => {
    const target = createSocket("udp4");
    target.on("message", (payload) => {
      if (!stream.writableNeedDrain) stream.write(frame(payload));
    });
    onFrames(stream, (payload) => target.send(payload, Number(third), second));
    stream.on("close", () => target.close());
  }).listen(Number(first), "127.0.0.1");
} else {
  const streams = new Map<number, Socket>();
  const socket = createSocket("udp4");
  socket.on("message", (payload, { port, address }) => {
    let stream = streams.get(port);
    if (stream === undefined) {
      stream = connect({ host: first, port: Number(second) });
      onFrames(stream, (answer) => socket.send(answer, port, address));
      streams.set(port, stream);
    }
    stream.write(frame(payload));
  });
  socket.bind(Number(third), "127.0.0.1");
}
