/**
 * The program of `HostileClients`. Its arguments are the port and a `ClientBehaviour` as JSON. It prints
 * `connected` when the clients are connected, and ends when its stdin ends.
 */

import { ClientHandshake } from "../../src/auth/handshake.ts";
import { Secret } from "../../src/options/secret.ts";
import type { ClientBehaviour } from "./hostile-clients.ts";

/**
 * Each process connects from a loopback address of its own, with its own ports: closed connections keep their
 * ports busy for a minute (TIME-WAIT, RFC 9293).
 */
const FROM = `127.71.${process.pid & 0xff}.${1 + ((process.pid >> 8) & 0x7f)}`;
/**
 * Clients that stay connect in groups with a pause: TCP retries only after a second what the server's backlog
 * cannot hold.
 */
const GROUP = 100;
const PAUSE_MS = 10;
/** The most clients of a flood that are connected at the same time. */
const FLOOD_AT_ONCE_MAX = 5000;
/** Clients that stay disconnect after this time, even when the server keeps them. */
const STAY_MS = 6000;
/** With `drip`, a tenth of the clients sends a byte in each tenth of a second. */
const TENTH_MS = 100;

const [, , port = "", argument = ""] = process.argv;
const behaviour = JSON.parse(argument) as ClientBehaviour;
const { count, flood, drip, waits, secret, tls } = behaviour;
const bytes = Buffer.from(behaviour.bytes ?? "", "hex");
let started = 0;
let connected = 0;
const staying: Bun.Socket[] = [];

/** Connects a client. Settles when it has sent its bytes; with undefined when the connection failed. */
function connect(): Promise<Bun.Socket | undefined> {
  const { promise, resolve } = Promise.withResolvers<Bun.Socket | undefined>();
  const read = secret === undefined ? undefined : Secret.parse(secret);
  const handshake = read && "value" in read ? new ClientHandshake(read.value, nonce(), undefined) : undefined;
  const send = (socket: Bun.Socket) => {
    if (!drip) socket.write(bytes);
    resolve(socket);
  };
  const options = {
    hostname: "127.0.0.1",
    port: Number(port),
    localAddress: FROM, // Bun accepts it, but its types lack it
    ...(tls && { tls: { rejectUnauthorized: false } }),
    socket: {
      open: (socket: Bun.Socket) => {
        if (!tls && !waits && handshake === undefined) send(socket);
      },
      handshake: (socket: Bun.Socket) => send(socket),
      data: (socket: Bun.Socket, chunk: Uint8Array) => {
        const step = handshake?.take(new Uint8Array(chunk));
        if (step?.state === "incomplete" && step.send !== undefined) socket.write(step.send);
        else send(socket);
      },
      close: () => resolve(undefined),
      error: () => resolve(undefined),
      connectError: () => resolve(undefined),
    },
  };
  Bun.connect(options).catch(() => resolve(undefined));
  started++;
  return promise;
}

/**
 * Connects `count` clients a second and never waits for earlier ones: TCP retries after a second what the
 * backlog cannot hold.
 */
async function runFlood(): Promise<never> {
  const start = performance.now();
  for (;;) {
    const due = ((performance.now() - start) * count) / 1000;
    while (started < due && connected < FLOOD_AT_ONCE_MAX) void connectAndReset();
    await Bun.sleep(1);
  }
}

async function connectAndReset(): Promise<void> {
  connected++;
  const socket = await connect();
  socket?.terminate();
  connected--;
}

async function connectAndStay(): Promise<void> {
  for (let left = count; left > 0; left -= GROUP) {
    const sockets = await Promise.all(Array.from({ length: Math.min(GROUP, left) }, connect));
    for (const socket of sockets) if (socket !== undefined) staying.push(socket);
    await Bun.sleep(PAUSE_MS);
  }
  if (drip) sendByteByByte();
}

function sendByteByByte(): void {
  let tenth = 0;
  setInterval(() => {
    const at = Math.floor(tenth / 10) % bytes.length;
    for (let index = tenth % 10; index < staying.length; index += 10) {
      staying[index]?.write(bytes.subarray(at, at + 1));
    }
    tenth++;
  }, TENTH_MS);
}

function nonce(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(32));
}

if (flood) {
  void runFlood();
  while (started < count / 10) await Bun.sleep(1);
} else {
  await connectAndStay();
}
setTimeout(() => process.exit(), STAY_MS);
process.stdout.write("connected\n");
for await (const _ of Bun.stdin.stream());
for (const socket of staying) socket.terminate(); // a reset leaves no port in TIME-WAIT
process.exit();
