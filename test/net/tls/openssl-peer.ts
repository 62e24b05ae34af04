/** `openssl s_client` and `openssl s_server` as TLS peers. */

import { readFileSync } from "node:fs";
import type { Identity } from "../../support/certificates.ts";
import { TUNNEL_HOST } from "../../support/loopback.ts";
import { until } from "../../support/until.ts";

export class OpensslPeer implements AsyncDisposable {
  readonly port: number;
  /** The standard output: the data received, or a report on the connection. */
  readonly output: Uint8Array[] = [];
  readonly #child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #drained: Promise<unknown>;
  /** The standard error output. */
  errors = "";

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#child = Bun.spawn(["openssl", ...args], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    const { stdout, stderr } = this.#child;
    const readOutput = async () => {
      for await (const chunk of stdout) this.output.push(chunk);
    };
    const readErrors = async () => {
      for await (const chunk of stderr) this.errors += Buffer.from(chunk).toString();
    };
    this.#drained = Promise.all([readOutput(), readErrors()]);
  }

  /**
   * A client of the server on this port. With `-quiet` its input and output are only the data of the stream.
   */
  static client(port: number, ...args: string[]): OpensslPeer {
    return new OpensslPeer(port, ["s_client", "-connect", `${TUNNEL_HOST}:${port}`, ...args]);
  }

  /** A server that is listening. */
  static async server(port: number, { cert, key }: Identity, ...args: string[]): Promise<OpensslPeer> {
    const own = ["-accept", `${TUNNEL_HOST}:${port}`, "-cert", cert, "-key", key];
    const peer = new OpensslPeer(port, ["s_server", ...own, ...args]);
    await until("s_server", () => isListening(port));
    return peer;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.output);
  }

  /** Writes to the standard input. */
  write(input: string | Uint8Array): void {
    this.#child.stdin.write(input);
    this.#child.stdin.flush();
  }

  /** Waits until it has ended and all its output is read. @returns the exit status. */
  async exited(): Promise<number> {
    const status = await this.#child.exited;
    await this.#drained;
    return status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.exited();
  }
}

/**
 * Whether the port is open (proc(5), /proc/net/tcp). A connection would count as the only client of s_server.
 */
function isListening(port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return new RegExp(`:${hex} 00000000:0000 0A `).test(readFileSync("/proc/net/tcp", "utf8"));
}
