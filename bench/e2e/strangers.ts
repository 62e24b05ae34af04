/** Strangers in a process of their own, so that what they cost is not taken for what they do to the server. */

/** What each of them does. */
export interface Conduct {
  /** How many there are. */
  readonly count: number;
  /** So many come each second, say what they have to say, and go; otherwise they stay. */
  readonly flood?: boolean;
  /** What they say, in hexadecimal: at once, or with `drip` a byte a second. */
  readonly say?: string;
  readonly drip?: boolean;
  /** They wait with it until the server has spoken. */
  readonly waits?: boolean;
  /** They prove first that they know this. */
  readonly secret?: string;
  /** They go through a TLS handshake. */
  readonly tls?: boolean;
}

export class Strangers implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;

  private constructor(child: Bun.Subprocess<"pipe", "pipe", "inherit">) {
    this.#child = child;
  }

  /** Settles when they are there: all that stay, or the first of a flood. */
  static async come(port: number, conduct: Conduct): Promise<Strangers> {
    const program = new URL("strangers-program.ts", import.meta.url).pathname;
    const child = Bun.spawn([process.execPath, program, `${port}`, JSON.stringify(conduct)], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    const { value } = await child.stdout.getReader().read();
    if (value === undefined) throw new Error("the strangers did not come");
    return new Strangers(child);
  }

  /** They are gone, and their connections with them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#child.exited;
  }
}
