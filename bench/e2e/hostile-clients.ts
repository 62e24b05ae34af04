/**
 * Hostile TCP clients. They run in a process of their own, so that their cost is not counted as their effect
 * on the server.
 */

/** What each client does. */
export interface ClientBehaviour {
  readonly count: number;
  /**
   * `count` clients connect each second, send `bytes` and disconnect. Otherwise `count` clients connect and
   * stay.
   */
  readonly flood?: boolean;
  /** What a client sends, in hexadecimal: at once, or with `drip` one byte a second. */
  readonly bytes?: string;
  readonly drip?: boolean;
  /** The client sends `bytes` only after the server has sent something. */
  readonly waits?: boolean;
  /** The client authenticates with this secret first. */
  readonly secret?: string;
  /** The client completes a TLS handshake first. */
  readonly tls?: boolean;
}

export class HostileClients implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;

  private constructor(child: Bun.Subprocess<"pipe", "pipe", "inherit">) {
    this.#child = child;
  }

  /** Starts them. Settles when all clients that stay are connected, or the first of a flood. */
  static async start(port: number, behaviour: ClientBehaviour): Promise<HostileClients> {
    const program = new URL("hostile-clients-program.ts", import.meta.url).pathname;
    const child = Bun.spawn([process.execPath, program, `${port}`, JSON.stringify(behaviour)], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    const { value } = await child.stdout.getReader().read();
    if (value === undefined) throw new Error("the hostile clients did not connect");
    return new HostileClients(child);
  }

  /** Closes their connections and ends the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#child.exited;
  }
}
