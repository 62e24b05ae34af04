/** A child process whose words can be waited for, and which is gone when its owner is. */

/** The command that runs udptunnel from this working tree. */
export const UDPTUNNEL = [process.execPath, new URL("../src/cli/udptunnel.ts", import.meta.url).pathname];

export class RunningProgram implements AsyncDisposable {
  /** Every line it has written to stderr so far. */
  readonly lines: string[] = [];
  readonly #child: Bun.Subprocess<"ignore", "ignore", "pipe">;
  readonly #onLine: (line: string) => void;
  readonly #read: Promise<void>;
  #wake = Promise.withResolvers<void>();
  #silent = false;

  /** @param onLine called with each line it writes to stderr. What it writes to stdout is discarded. */
  constructor(command: readonly string[], onLine: (line: string) => void = () => {}) {
    this.#onLine = onLine;
    this.#child = Bun.spawn([...command], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    this.#read = this.#readLines();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The status it ends with: 128 and the signal's number when a signal ended it. */
  get exited(): Promise<number> {
    return this.#child.exited;
  }

  /** The first line, past or to come, that matches. @throws Error with all it said when it ends without. */
  async said(pattern: RegExp): Promise<string> {
    for (let index = 0; ; index++) {
      while (index >= this.lines.length) {
        if (this.#silent) throw new Error(`never said ${pattern}, but:\n${this.lines.join("\n")}`);
        await this.#wake.promise;
      }
      const line = this.lines[index] ?? "";
      if (pattern.test(line)) return line;
    }
  }

  /** Ends it, and settles when it is gone. */
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
    this.#silent = true;
    this.#wake.resolve();
  }

  #add(line: string): void {
    this.lines.push(line);
    this.#onLine(line);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}
