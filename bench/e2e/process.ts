/** The processes of one measurement: started, heard, weighed and ended by their id. */

import { readdirSync, readFileSync } from "node:fs";
import type { Subprocess } from "bun";

const LAST_WORDS = 5;
const TERMINATE_MS = 2000;

const running = new Set<BenchProcess>();

/** Kills what still runs. For the very end of the program: nothing is waited for. */
export function killAll(): void {
  for (const process of running) process.kill();
}

/** What a process has cost. */
export interface ProcessCost {
  /** Nanoseconds on a processor, of all its threads and children (/proc/PID/task/TID/schedstat, proc(5)). */
  cpuNs: number;
  /** The largest and the present resident set, bytes (VmHWM and VmRSS in /proc/PID/status). */
  peakBytes: number;
  nowBytes: number;
}

/** A process and what it says: lines of JSON on stdout are its messages, other lines its words. */
export class BenchProcess {
  readonly label: string;
  readonly pid: number;
  readonly exited: Promise<number>;
  readonly #child: Subprocess<"ignore", "pipe", "pipe">;
  readonly #words: string[] = [];
  readonly #messages: { type: string }[] = [];
  readonly #heard: Promise<unknown>;
  #listeners: (() => void)[] = [];
  #over = false;

  /** @throws Error when the program cannot be started. */
  constructor(label: string, command: readonly string[]) {
    this.label = label;
    try {
      this.#child = Bun.spawn([...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    } catch (error) {
      throw new Error(
        `cannot start ${label} (${command[0]}): ${error instanceof Error ? error.message : error}`,
      );
    }
    this.pid = this.#child.pid;
    running.add(this);
    this.#heard = Promise.all([this.#hear(this.#child.stdout), this.#hear(this.#child.stderr)]);
    this.exited = this.#child.exited.then(async (status) => {
      await Promise.race([this.#heard, Bun.sleep(100)]); // a grandchild may keep the pipe open
      running.delete(this);
      this.#over = true;
      this.#tell();
      return status;
    });
  }

  get over(): boolean {
    return this.#over;
  }

  /** How it ended and the last lines it printed, for a row that failed. */
  get lastWords(): string {
    const { exitCode, signalCode } = this.#child;
    const how = exitCode === null && signalCode === null ? "" : ` (${signalCode ?? `status ${exitCode}`})`;
    return `${this.label}${how}: ${this.#words.slice(-LAST_WORDS).join(" | ") || "said nothing"}`;
  }

  /** The next message of a type. @throws Error with its last words when the process ends without it. */
  async message<T>(type: string): Promise<T> {
    for (;;) {
      const found = this.#messages.find((message) => message.type === type);
      if (found !== undefined) return found as T;
      if (this.#over) throw new Error(this.lastWords);
      await new Promise<void>((resolve) => this.#listeners.push(resolve));
    }
  }

  /** What it has cost until now; zeros once it is gone. */
  cost(): ProcessCost {
    const cost = { cpuNs: 0, peakBytes: 0, nowBytes: 0 };
    for (const pid of withChildren(this.pid)) {
      try {
        for (const task of readdirSync(`/proc/${pid}/task`)) {
          cost.cpuNs += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ")[0]);
        }
        const status = readFileSync(`/proc/${pid}/status`, "latin1");
        cost.peakBytes += kilobytes(status, "VmHWM") * 1024;
        cost.nowBytes += kilobytes(status, "VmRSS") * 1024;
      } catch {
        // It ended while it was looked at.
      }
    }
    return cost;
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#over) this.#child.kill(signal);
  }

  kill(): void {
    for (const pid of withChildren(this.pid).reverse()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It is gone.
      }
    }
  }

  /** Ends it: asked first, forced when it does not heed. Settles when it is gone. */
  async stop(): Promise<void> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.kill(), TERMINATE_MS);
    await this.exited;
    clearTimeout(timer);
  }

  async #hear(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of stream) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#onLine(line);
    }
    if (rest !== "") this.#onLine(rest);
  }

  #onLine(line: string): void {
    if (line.startsWith('{"type":')) this.#messages.push(JSON.parse(line));
    else this.#words.push(line);
    if (this.#words.length > 4 * LAST_WORDS) this.#words.shift();
    this.#tell();
  }

  #tell(): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}

function withChildren(pid: number): number[] {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "latin1").trim().split(" ").filter(Boolean),
    );
    return [pid, ...children.flatMap((child) => withChildren(Number(child)))];
  } catch {
    return [pid];
  }
}

function kilobytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
}
