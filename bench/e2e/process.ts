/**
 * The processes of a measurement: starts them, reads their messages, measures their cost and ends them by
 * their id.
 */

import { readdirSync, readFileSync } from "node:fs";
import type { Subprocess } from "bun";

const LAST_LINES = 5;
const LINES_KEPT = 100;
const TERMINATE_MS = 2000;

const running = new Set<BenchProcess>();

/** Kills all running processes without waiting. For the end of the program. */
export function killAll(): void {
  for (const process of running) process.kill();
}

/** The cost of a process. */
export interface ProcessCost {
  /** CPU time of all threads and children in nanoseconds (/proc/PID/task/TID/schedstat, proc(5)). */
  cpuNs: number;
  /** The largest and the current resident set in bytes (VmHWM and VmRSS in /proc/PID/status). */
  peakBytes: number;
  nowBytes: number;
}

/** A process and its output: lines of JSON are messages, other lines are kept as text. */
export class BenchProcess {
  readonly label: string;
  readonly pid: number;
  readonly exited: Promise<number>;
  readonly #child: Subprocess<"ignore", "pipe", "pipe">;
  readonly #text: string[] = [];
  readonly #messages: { type: string }[] = [];
  readonly #outputRead: Promise<unknown>;
  #listeners: (() => void)[] = [];
  #ended = false;

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
    this.#outputRead = Promise.all([this.#read(this.#child.stdout), this.#read(this.#child.stderr)]);
    this.exited = this.#child.exited.then(async (status) => {
      await Promise.race([this.#outputRead, Bun.sleep(100)]); // a grandchild may keep the pipe open
      running.delete(this);
      this.#ended = true;
      this.#notify();
      return status;
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The last {@link LINES_KEPT} lines of output that are text. */
  get lines(): readonly string[] {
    return this.#text;
  }

  /** The exit status and the last lines of output, for a failed row. */
  get lastLines(): string {
    const { exitCode, signalCode } = this.#child;
    const how = exitCode === null && signalCode === null ? "" : ` (${signalCode ?? `status ${exitCode}`})`;
    return `${this.label}${how}: ${this.#text.slice(-LAST_LINES).join(" | ") || "no output"}`;
  }

  /** The next message of a type. @throws Error with the last lines when the process ends without it. */
  async message<T>(type: string): Promise<T> {
    for (;;) {
      const found = this.#messages.find((message) => message.type === type);
      if (found !== undefined) return found as T;
      if (this.#ended) throw new Error(this.lastLines);
      await new Promise<void>((resolve) => this.#listeners.push(resolve));
    }
  }

  /** Its cost so far; zeros after it has ended. */
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
        // It ended meanwhile.
      }
    }
    return cost;
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#ended) this.#child.kill(signal);
  }

  kill(): void {
    for (const pid of withChildren(this.pid).reverse()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
  }

  /** Ends the process: SIGTERM, then SIGKILL. Settles when it has ended. */
  async stop(): Promise<void> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.kill(), TERMINATE_MS);
    await this.exited;
    clearTimeout(timer);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
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
    else this.#text.push(line);
    if (this.#text.length > LINES_KEPT) this.#text.shift();
    this.#notify();
  }

  #notify(): void {
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
