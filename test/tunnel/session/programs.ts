/** Both ends of a per-source tunnel as processes on loopback, and UDP sources and targets for them. */

import { freePort } from "../../../scripts/free-ports.ts";
import { RunningProgram, UDPTUNNEL } from "../../../scripts/running-program.ts";

const HOST = "127.0.0.1";
/**
 * On a busy machine a program may not run for longer than the default age limit. Nothing expires without one.
 */
const NO_AGE_LIMIT = ["--max-delay", "0"];

export interface ProgramOptions {
  readonly server?: readonly string[];
  readonly client?: readonly string[];
  /** A prefix of the server's command, such as `prlimit --nofile=128`. */
  readonly serverPrefix?: readonly string[];
}

/** Both ends, as children of this process. */
export class Programs implements AsyncDisposable {
  readonly udpPort: number;
  readonly tcpPort: number;
  readonly server: RunningProgram;
  readonly client: RunningProgram;

  private constructor(ports: { tcp: number; udp: number; target: number }, options: ProgramOptions) {
    const { server = [], client = [], serverPrefix = [] } = options;
    this.udpPort = ports.udp;
    this.tcpPort = ports.tcp;
    const command = [...UDPTUNNEL, "-v", "-p", ...NO_AGE_LIMIT];
    const serverCommand = [...serverPrefix, ...command, "-s", `${HOST}/${ports.tcp}`, ...server];
    this.server = new RunningProgram([...serverCommand, `${HOST}/${ports.target}`]);
    const clientCommand = [...command, "-c", `${HOST}/${ports.tcp}`, ...client];
    this.client = new RunningProgram([...clientCommand, `${HOST}/${ports.udp}`]);
  }

  /** Settles when both ends are listening. */
  static async start(targetPort: number, options: ProgramOptions = {}): Promise<Programs> {
    const ports = { tcp: await freePort(), udp: await freePort(), target: targetPort };
    const programs = new Programs(ports, options);
    await programs.server.said(/listening on TCP/);
    await programs.client.said(/relaying UDP/);
    return programs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.client.stop(), this.server.stop()]);
  }
}

/** A UDP source that sends one request at a time. */
export class Requester implements Disposable {
  readonly answers: string[] = [];
  readonly #socket: Bun.udp.ConnectedSocket<"buffer">;
  #answered = Promise.withResolvers<string>();

  constructor(port: number) {
    this.#socket = Bun.peek(
      Bun.udpSocket({
        connect: { hostname: HOST, port },
        hostname: HOST,
        binaryType: "buffer",
        socket: {
          data: (_socket, payload) => {
            this.answers.push(payload.toString());
            this.#answered.resolve(payload.toString());
          },
          error() {},
        },
      }),
    ) as Bun.udp.ConnectedSocket<"buffer">;
  }

  /** Sends a request. Settles with the next answer. */
  request(text: string): Promise<string> {
    this.#answered = Promise.withResolvers();
    this.#socket.send(text);
    return this.#answered.promise;
  }

  /** Sends without waiting for an answer. */
  send(text: string): void {
    this.#socket.send(text);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** A UDP socket that answers every datagram with the same bytes. */
export async function openEcho(): Promise<Bun.udp.Socket<"buffer">> {
  return await Bun.udpSocket({
    hostname: HOST,
    binaryType: "buffer",
    socket: {
      data: (socket, payload, port, address) => void socket.send(payload, port, address),
      error() {}, // the socket of an ended session refuses
    },
  });
}
