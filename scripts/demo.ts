/** A demonstration: a server and a client on this host, and a few datagrams in both directions. */

import { freePort } from "./free-ports.ts";
import { RunningProgram, UDPTUNNEL } from "./running-program.ts";

/** One loopback address per program, as if each ran on a host of its own. */
const LEFT = "127.0.0.3";
const RIGHT = "127.0.0.2";
const TUNNEL = "127.0.0.1";
/** SO_REUSEADDR: a tunnel on this host uses the same port on all addresses. */
const REUSE_ADDRESS = 16;
const ARRIVAL_MS = 5000;

const BY_HAND = `
By hand, in three terminals (the third runs bash):

  npx bun run udptunnel -vv -s ${TUNNEL}/5000 --bind ${TUNNEL} ${RIGHT}/7000
  npx bun run udptunnel -vv -c ${TUNNEL}/5000 ${TUNNEL}/6000
  echo hello > /dev/udp/${TUNNEL}/6000

The client (second terminal) shows the datagram that enters, the server (first terminal) the one that leaves.`;

/** Everything to close at the end. */
const running = new AsyncDisposableStack();

/** @returns the exit status: 1 when a datagram did not arrive. */
async function demonstrate(): Promise<number> {
  print("Two programs that use UDP, and between them a tunnel over one TCP connection:\n");
  print("  left <--UDP--> udptunnel -c <==TCP==> udptunnel -s <--UDP--> right\n");
  const left = new Application("left", LEFT, await freePort());
  const right = new Application("right", RIGHT, await freePort());

  const tcpPort = await freePort();
  const server = start("server", "-s", `${TUNNEL}/${tcpPort}`, right.at);
  await server.said(/listening/);
  const client = start("client", "-c", `${TUNNEL}/${tcpPort}`, left.at);
  await Promise.all([server.said(/: connected/), client.said(/: connected/)]);

  const arrived =
    (await left.sendTo(right, "hello")) &&
    (await right.sendTo(left, "hello yourself")) &&
    (await left.sendTo(right, "")) &&
    (await left.sendTo(right, "x".repeat(65_507)));
  await running.disposeAsync();
  print(arrived ? BY_HAND : "\nThe datagram did not arrive.");
  return arrived ? 0 : 1;
}

function start(role: string, ...options: string[]): RunningProgram {
  print(`$ udptunnel -vv ${options.join(" ")}`);
  const onLine = (line: string) => print(line.replace(/^udptunnel:/, `  ${role}:`));
  return running.use(new RunningProgram([...UDPTUNNEL, "-vv", ...options], onLine));
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** A program that sends and receives with one UDP port, like programs for voice and video. */
class Application {
  readonly #name: string;
  readonly #socket: Bun.udp.Socket<"buffer">;
  #onPayload: (payload: Buffer) => void = () => {};

  constructor(name: string, address: string, port: number) {
    this.#name = name;
    const options = {
      hostname: address,
      port,
      flags: REUSE_ADDRESS,
      socket: { data: (_socket: unknown, payload: Buffer) => this.#onPayload(payload), error() {} },
    };
    this.#socket = Bun.peek(Bun.udpSocket(options)) as Bun.udp.Socket<"buffer">;
    running.defer(() => this.#socket.close());
  }

  /** Its address in the form of the command line. */
  get at(): string {
    return `${this.#socket.hostname}/${this.#socket.port}`;
  }

  /** Sends one datagram through the tunnel. @returns whether `other` received it unchanged. */
  async sendTo(other: Application, text: string): Promise<boolean> {
    print(`${this.#name} sends ${quoted(text)}`);
    const arrival = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => arrival.resolve(false), ARRIVAL_MS);
    other.#onPayload = (payload) => {
      print(`${other.#name} receives ${quoted(payload.toString())}`);
      arrival.resolve(payload.toString() === text);
    };
    this.#socket.send(text, this.#socket.port, TUNNEL);
    const arrived = await arrival.promise;
    clearTimeout(timer);
    return arrived;
  }
}

function quoted(text: string): string {
  if (text === "") return "an empty datagram";
  return text.length > 40 ? `${text.length} bytes` : `"${text}"`;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => void running.disposeAsync().then(() => process.exit(0)));
}
process.exitCode = await demonstrate().finally(() => running.disposeAsync());
