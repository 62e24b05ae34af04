/** `openssl s_client` and `openssl s_server`: ends of TLS that are not ours. */

import { readFileSync } from "node:fs";
import type { Identity } from "../../support/certificates.ts";
import { TUNNEL_HOST } from "../../support/loopback.ts";
import { until } from "../../support/until.ts";

export class OpensslPeer implements AsyncDisposable {
  readonly port: number;
  /** What it has received, or said of the connection. */
  readonly output: Uint8Array[] = [];
  readonly #child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #drained: Promise<unknown>;
  /** What it complains of. */
  errors = "";

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#child = Bun.spawn(["openssl", ...args], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    const { stdout, stderr } = this.#child;
    const keep = async () => {
      for await (const chunk of stdout) this.output.push(chunk);
    };
    const complain = async () => {
      for await (const chunk of stderr) this.errors += Buffer.from(chunk).toString();
    };
    this.#drained = Promise.all([keep(), complain()]);
  }

  /** A client of the server on this port. With `-quiet` its input and output are the stream, and nothing else. */
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

  /** Hands it input. */
  say(input: string | Uint8Array): void {
    this.#child.stdin.write(input);
    this.#child.stdin.flush();
  }

  /** Its exit status, once everything it wrote has been read. */
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

/** Whether somebody listens, without connecting: s_server would take that for its client. (proc(5), /proc/net/tcp) */
function isListening(port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return new RegExp(`:${hex} 00000000:0000 0A `).test(readFileSync("/proc/net/tcp", "utf8"));
}
