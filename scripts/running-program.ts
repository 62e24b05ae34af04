/** A child process. Its owner can wait for a line of its stderr, and ends it when it is disposed of. */

/** The command that runs udptunnel from this working tree. */
export const UDPTUNNEL = [process.execPath, new URL("../src/cli/udptunnel.ts", import.meta.url).pathname];

export class RunningProgram implements AsyncDisposable {
  /** The lines of stderr so far. */
  readonly lines: string[] = [];
  readonly #child: Bun.Subprocess<"ignore", "ignore", "pipe">;
  readonly #onLine: (line: string) => void;
  readonly #read: Promise<void>;
  #wake = Promise.withResolvers<void>();
  #ended = false;

  /** @param onLine called with each line of stderr. Its stdout is discarded. */
  constructor(command: readonly string[], onLine: (line: string) => void = () => {}) {
    this.#onLine = onLine;
    this.#child = Bun.spawn([...command], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    this.#read = this.#readLines();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Its exit status: 128 plus the number of the signal when a signal ended it. */
  get exited(): Promise<number> {
    return this.#child.exited;
  }

  /**
   * The first line of stderr that matches, past or future. @throws Error with all lines when it ends without
   * one.
   */
  async said(pattern: RegExp): Promise<string> {
    for (let index = 0; ; index++) {
      while (index >= this.lines.length) {
        if (this.#ended) throw new Error(`no line matches ${pattern}; stderr:\n${this.lines.join("\n")}`);
        await this.#wake.promise;
      }
      const line = this.lines[index] ?? "";
      if (pattern.test(line)) return line;
    }
  }

  /** Sends a signal. Settles when the process has ended. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number> {
    this.#child.kill(signal);
    await this.#read;
    return await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #readLines(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const bytes of this.#child.stderr) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#add(line);
    }
    if (rest !== "") this.#add(rest);
    this.#ended = true;
    this.#wake.resolve();
  }

  #add(line: string): void {
    this.lines.push(line);
    this.#onLine(line);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}
