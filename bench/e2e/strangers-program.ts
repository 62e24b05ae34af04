/**
 * The strangers' program: its arguments are the port and their `Conduct` as JSON. It writes `here` when they are there, and ends
 * when its stdin does.
 */

import { ClientHandshake } from "../../src/auth/handshake.ts";
import { Secret } from "../../src/options/secret.ts";
import type { Conduct } from "./strangers.ts";

/** Loopback has many addresses, and each has its own ports: those that the last ones left are taken for a minute (RFC 9293). */
const FROM = `127.71.${process.pid & 0xff}.${1 + ((process.pid >> 8) & 0x7f)}`;
/** Those who stay come so many at once, with a pause: what the server's backlog does not hold is tried again in a second. */
const AT_ONCE = 100;
const PAUSE_MS = 10;
/** Of a flood. */
const AT_ONCE_MAX = 5000;
/** They leave by then, however long the server keeps whoever should send them away. */
const STAY_MS = 6000;
/** Of those who say a byte a second, a tenth speaks every tenth of a second. */
const TENTH_MS = 100;

const [, , port = "", argument = ""] = process.argv;
const { count, flood, drip, waits, secret, tls, say = "" } = JSON.parse(argument) as Conduct;
const words = Buffer.from(say, "hex");
let made = 0;
let here = 0;
const staying: Bun.Socket[] = [];

/** Connects one. Settles when it has said what it says at once, or is gone: then there may be no socket. */
function come(): Promise<Bun.Socket | undefined> {
  const { promise, resolve } = Promise.withResolvers<Bun.Socket | undefined>();
  const read = secret === undefined ? undefined : Secret.read(secret);
  const handshake = read && "value" in read ? new ClientHandshake(read.value, nonce(), undefined) : undefined;
  const speak = (socket: Bun.Socket) => {
    if (!drip) socket.write(words);
    resolve(socket);
  };
  const options = {
    hostname: "127.0.0.1",
    port: Number(port),
    localAddress: FROM, // Bun takes it, though its types do not say so
    ...(tls && { tls: { rejectUnauthorized: false } }),
    socket: {
      open: (socket: Bun.Socket) => {
        if (!tls && !waits && handshake === undefined) speak(socket);
      },
      handshake: (socket: Bun.Socket) => speak(socket),
      data: (socket: Bun.Socket, chunk: Uint8Array) => {
        const step = handshake?.take(new Uint8Array(chunk));
        if (step?.state === "going on" && step.send !== undefined) socket.write(step.send);
        else speak(socket);
      },
      close: () => resolve(undefined),
      error: () => resolve(undefined),
      connectError: () => resolve(undefined),
    },
  };
  Bun.connect(options).catch(() => resolve(undefined));
  made++;
  return promise;
}

/** Connects `count` a second, whatever becomes of those before: what the server's backlog does not hold waits for a second. */
async function comeAndGo(): Promise<never> {
  const start = performance.now();
  for (;;) {
    const due = ((performance.now() - start) * count) / 1000;
    while (made < due && here < AT_ONCE_MAX) void visit();
    await Bun.sleep(1);
  }
}

async function visit(): Promise<void> {
  here++;
  const socket = await come();
  socket?.terminate();
  here--;
}

async function comeAndStay(): Promise<void> {
  for (let left = count; left > 0; left -= AT_ONCE) {
    const some = await Promise.all(Array.from({ length: Math.min(AT_ONCE, left) }, come));
    for (const socket of some) if (socket !== undefined) staying.push(socket);
    await Bun.sleep(PAUSE_MS);
  }
  if (drip) sayByteByByte();
}

function sayByteByByte(): void {
  let tenth = 0;
  setInterval(() => {
    const at = Math.floor(tenth / 10) % words.length;
    for (let index = tenth % 10; index < staying.length; index += 10) {
      staying[index]?.write(words.subarray(at, at + 1));
    }
    tenth++;
  }, TENTH_MS);
}

function nonce(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(32));
}

if (flood) {
  void comeAndGo();
  while (made < count / 10) await Bun.sleep(1);
} else {
  await comeAndStay();
}
setTimeout(() => process.exit(), STAY_MS);
process.stdout.write("here\n");
for await (const _ of Bun.stdin.stream());
for (const socket of staying) socket.terminate(); // a reset leaves no port behind
process.exit();
