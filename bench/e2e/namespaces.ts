/** Network namespaces for the time of one measurement. They need root. */

let created = 0;

/** Namespaces of this process. They are deleted by dispose, and at the latest when this process exits. */
export class Namespaces implements Disposable {
  readonly names: readonly string[];

  /** @throws Error when one cannot be created. */
  constructor(labels: readonly string[]) {
    const number = created++;
    this.names = labels.map((label) => `udptunnel-bench-${process.pid}-${number}-${label}`);
    process.on("exit", this.#remove);
    try {
      for (const name of this.names) {
        ip("netns", "add", name);
        ip("-n", name, "link", "set", "lo", "up");
      }
    } catch (error) {
      this.#remove();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#remove();
  }

  readonly #remove = (): void => {
    process.off("exit", this.#remove);
    for (const name of this.names) Bun.spawnSync(["ip", "netns", "del", name]);
  };
}

/** The prefix of a command that runs inside a namespace. */
export function inside(namespace: string): string[] {
  return ["ip", "netns", "exec", namespace];
}

/** Runs ip(8). @throws Error with its output. */
export function ip(...words: string[]): void {
  runOrThrow(["ip", ...words]);
}

/** Runs a program to its end. @throws Error with its output when it fails. */
export function runOrThrow(command: string[], input = ""): void {
  const { exitCode, stderr } = Bun.spawnSync(command, { stdin: Buffer.from(input) });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString().trim()}`);
}
