/** Per-source tunnels as real programs on loopback, and real sources that talk through them. */

import { readdirSync, readFileSync } from "node:fs";
import { freePort } from "../../../scripts/free-ports.ts";
import { RunningProgram, UDPTUNNEL } from "../../../scripts/running-program.ts";

const HOST = "127.0.0.1";
/** A busy machine may keep a program from running for longer than the default: what waited then is not lost. */
const PATIENT = ["--max-delay", "0"];

export interface ProgramOptions {
  readonly server?: readonly string[];
  readonly client?: readonly string[];
  /** Put before the server's command, such as `prlimit --nofile=128`. */
  readonly serverPrefix?: readonly string[];
}

/** Both ends as children of this process. */
export class Programs implements AsyncDisposable {
  readonly udpPort: number;
  readonly tcpPort: number;
  readonly server: RunningProgram;
  readonly client: RunningProgram;

  private constructor(ports: { tcp: number; udp: number; target: number }, options: ProgramOptions) {
    const { server = [], client = [], serverPrefix = [] } = options;
    this.udpPort = ports.udp;
    this.tcpPort = ports.tcp;
    const from = [...UDPTUNNEL, "-v", "-p", ...PATIENT];
    const serving = [...serverPrefix, ...from, "-s", `${HOST}/${ports.tcp}`, ...server];
    this.server = new RunningProgram([...serving, `${HOST}/${ports.target}`]);
    const asking = [...from, "-c", `${HOST}/${ports.tcp}`, ...client];
    this.client = new RunningProgram([...asking, `${HOST}/${ports.udp}`]);
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

/** A UDP socket that asks one thing at a time. */
export class Asker implements Disposable {
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

  /** Settles with the next answer. */
  ask(question: string): Promise<string> {
    this.#answered = Promise.withResolvers();
    this.#socket.send(question);
    return this.#answered.promise;
  }

  /** Sends what needs no answer. */
  tell(what: string): void {
    this.#socket.send(what);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** A UDP program that answers every datagram with the same bytes. */
export async function openEcho(): Promise<Bun.udp.Socket<"buffer">> {
  return await Bun.udpSocket({
    hostname: HOST,
    binaryType: "buffer",
    socket: {
      data: (socket, payload, port, address) => void socket.send(payload, port, address),
      error() {}, // a session that has ended refuses
    },
  });
}

/** Files and sockets a process has open (proc(5), /proc/pid/fd). */
export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Processor time a process has used so far, in ms; a clock tick is 10 ms (proc(5), /proc/pid/stat, fields 14 and 15). */
export function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
