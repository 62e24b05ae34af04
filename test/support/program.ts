/** The real program as a child process. */

import { resolve } from "node:path";
import { PATIENCE_MS, until } from "./until.ts";

const ENTRY = new URL("../../src/cli/udptunnel.ts", import.meta.url).pathname;
const { UDPTUNNEL_PROGRAM } = Bun.env;

/** The command of the program: the sources, or the executable in UDPTUNNEL_PROGRAM. */
const PROGRAM = UDPTUNNEL_PROGRAM === undefined ? [process.execPath, ENTRY] : [resolve(UDPTUNNEL_PROGRAM)];

export class Program implements AsyncDisposable {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  /** Its stderr so far. */
  errors = "";
  /** Its stdout so far. */
  output = "";
  readonly #drained: Promise<unknown>;

  /**
   * @param command the command to run instead of the program.
   * @param environment variables in addition to those of the tests.
   */
  constructor(args: readonly string[], command = PROGRAM, environment: Record<string, string> = {}) {
    this.child = Bun.spawn([...command, ...args], {
      cwd: new URL("../..", import.meta.url).pathname,
      env: { ...Bun.env, ...environment },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#drained = Promise.all([
      drain(this.child.stderr, (text) => {
        this.errors += text;
      }),
      drain(this.child.stdout, (text) => {
        this.output += text;
      }),
    ]);
  }

  get lines(): string[] {
    return this.errors.split("\n").slice(0, -1);
  }

  /** The exit status. Settles when all of its output has been read. */
  async exited(): Promise<number> {
    const status = await this.child.exited;
    await this.#drained;
    return status;
  }

  async says(text: string, timeoutMs = PATIENCE_MS): Promise<void> {
    try {
      await until("", () => this.errors.includes(text), timeoutMs);
    } catch {
      throw new Error(`stderr lacks "${text}": ${this.errors}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited();
  }
}

async function drain(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
}
