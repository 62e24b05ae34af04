/**
 * The program's log on stderr: text for people or JSON for machines, with as much detail as `-v` requests.
 */

import type { NameOf } from "../observe/describe-event.ts";
import { CATEGORY, EventLog } from "../observe/event-log.ts";
import { Redactor } from "../observe/redact.ts";
import type { ProgramOptions } from "../options/table.ts";
import { asText, setFormatter, writeLine } from "./log.ts";

/** By how often `-v` was given. */
const LOWEST_LEVELS = ["warning", "info", "trace"] as const;

type LogTape = typeof import("@logtape/logtape");

export interface ProgramLogOptions {
  /** Whether lines of text begin with the tunnel's name. */
  readonly named: boolean;
  /** Spells options in messages. */
  readonly nameOf: NameOf;
  /** What {@link formatLines} has returned. */
  readonly redactor: Redactor | undefined;
}

/**
 * Applies `--log` and `--redact` to every line of `log`.
 *
 * @returns hides hosts in other output; undefined without `--redact`.
 */
export function formatLines({ log, redact, metrics }: ProgramOptions): Redactor | undefined {
  const redactor = redact ? new Redactor() : undefined;
  if (metrics?.host !== undefined) redactor?.hideNames([metrics.host]);
  const format = log === "json" ? asJson : asText;
  setFormatter((line) => format(redactor?.text(line) ?? line));
  return redactor;
}

export class ProgramLog {
  readonly #program: ProgramOptions;
  readonly #options: ProgramLogOptions;
  readonly #logs = new Map<string, EventLog>();
  #loading: Promise<LogTape> | undefined;

  constructor(program: ProgramOptions, options: ProgramLogOptions) {
    this.#program = program;
    this.#options = options;
  }

  /** The log of the tunnel of this name. */
  of(name: string): EventLog {
    const { nameOf, redactor } = this.#options;
    const lowestLevel = LOWEST_LEVELS[this.#program.verbosity] ?? "trace";
    const options = { name, nameOf, redactor, lowestLevel, load: () => this.#load() };
    const log = this.#logs.get(name) ?? new EventLog(options);
    this.#logs.set(name, log);
    return log;
  }

  /** Whether each datagram is logged. */
  get tracing(): boolean {
    return this.#program.verbosity > 1;
  }

  /** Settles when LogTape has every record so far. */
  async flushed(): Promise<void> {
    await Promise.all([...this.#logs.values()].map((log) => log.flushed()));
  }

  #load(): Promise<LogTape> {
    this.#loading ??= this.#configure().catch((error) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #configure(): Promise<LogTape> {
    const logtape = await import("@logtape/logtape");
    const toJson = logtape.getJsonLinesFormatter({ categorySeparator: "." });
    const stderr: import("@logtape/logtape").Sink =
      this.#program.log === "json"
        ? (record) => writeLine(toJson(record).trimEnd())
        : ({ category, message }) =>
            writeLine(asText(`${this.#options.named ? `${category[1]}: ` : ""}${message.join("")}`));
    logtape.configureSync({
      sinks: { stderr },
      loggers: [
        { category: CATEGORY, sinks: ["stderr"], lowestLevel: "trace" },
        { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "error" },
      ],
    });
    return logtape;
  }
}

/** A message that concerns no single tunnel, in the form of LogTape's JSON lines. */
function asJson(message: string): string {
  const time = new Date().toISOString();
  return JSON.stringify({ "@timestamp": time, level: "INFO", message, logger: CATEGORY, properties: {} });
}
