/**
 * Logs events to LogTape, in the category `["udptunnel", name]`. The process decides where records go
 * (`configure` of `@logtape/logtape`). Without a configuration LogTape discards them.
 */

import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { describeEvent, type NameOf } from "./describe-event.ts";
import type { EventLevel, EventListener } from "./events.ts";
import type { Redactor } from "./redact.ts";

/** The root of the categories. */
export const CATEGORY = "udptunnel";

type Level = EventLevel | "trace" | "error";
type LogTape = Pick<typeof import("@logtape/logtape"), "getLogger">;
type Logger = Pick<ReturnType<LogTape["getLogger"]>, "emit">;
type LogEntry = Omit<Parameters<Logger["emit"]>[0], "category">;

/** At most this many records are kept until LogTape is loaded. Further ones are counted. */
export const PENDING_MAX = 10_000;
const ORDER: readonly Level[] = ["trace", "debug", "info", "warning", "error"];

export interface EventLogOptions {
  /** The tunnel's name. */
  readonly name: string;
  /** Spells options in messages. */
  readonly nameOf: NameOf;
  /** Hides hosts in all records. */
  readonly redactor?: Redactor | undefined;
  /** Events below this level are not logged. Default: `trace`. */
  readonly lowestLevel?: Level | undefined;
  /**
   * Loads LogTape. The first record calls it, so that a tunnel that logs nothing does not pay for LogTape.
   */
  readonly load?: (() => Promise<LogTape>) | undefined;
}

export class EventLog {
  readonly #options: EventLogOptions;
  readonly #lowest: number;
  #logger: Logger | undefined;
  #loading: Promise<void> | undefined;
  #pending: LogEntry[] = [];
  /** Records that did not fit in `#pending`. */
  #dropped = 0;

  constructor(options: EventLogOptions) {
    this.#options = options;
    this.#lowest = ORDER.indexOf(options.lowestLevel ?? "trace");
  }

  /** Logs an event. @param repeats how many events of this kind were suppressed before. */
  readonly onEvent: EventListener = (event, level, repeats) => {
    if (ORDER.indexOf(level) < this.#lowest) return;
    const shown = this.#options.redactor?.data(event) ?? event;
    const again = repeats > 0 ? ` (${repeats} more like this were not shown)` : "";
    const { type, ...details } = shown;
    const text = describeEvent(shown, this.#options.nameOf) + again;
    this.#emit(level, text, { event: type, ...details, ...(repeats > 0 && { repeats }) });
  };

  /** Logs one datagram. */
  readonly onDatagram = (direction: "outbound" | "inbound", source: Endpoint, bytes: number): void => {
    const from = this.#options.redactor?.data(source) ?? source;
    const text = `${direction}: ${bytes} bytes from ${formatEndpoint(from)}`;
    this.#emit("trace", text, { event: "datagram", direction, bytes, source: from });
  };

  /** Logs text that is not an event of the tunnel, whatever the lowest level. */
  log(level: Level, text: string, properties: Record<string, unknown> = {}): void {
    const { redactor } = this.#options;
    this.#emit(level, redactor?.text(text) ?? text, redactor?.data(properties) ?? properties);
  }

  /** Settles when LogTape has every record so far, or could not be loaded. */
  async flushed(): Promise<void> {
    await this.#loading;
  }

  #emit(level: Level, text: string, properties: Record<string, unknown>): void {
    const entry = entryOf(level, text, properties);
    if (this.#logger !== undefined) return this.#logger.emit(entry);
    if (this.#pending.length < PENDING_MAX) this.#pending.push(entry);
    else this.#dropped++;
    this.#loading ??= this.#load().catch(() => {
      // The process may have no file descriptor left, for example. The next record tries again.
      this.#loading = undefined;
    });
  }

  async #load(): Promise<void> {
    const { load = () => import("@logtape/logtape"), name } = this.#options;
    const { getLogger } = await load();
    const logger = getLogger([CATEGORY, name]);
    for (const entry of this.#pending) logger.emit(entry);
    // All kept records are older than the dropped ones.
    if (this.#dropped > 0) logger.emit(droppedEntry(this.#dropped));
    this.#pending = [];
    this.#logger = logger;
  }
}

function entryOf(level: Level, text: string, properties: Record<string, unknown>): LogEntry {
  return { level, message: [text], rawMessage: text, timestamp: Date.now(), properties };
}

function droppedEntry(dropped: number): LogEntry {
  const text = `${dropped} log records are missing here: LogTape was not loaded in time`;
  return entryOf("warning", text, { event: "records dropped", dropped });
}
