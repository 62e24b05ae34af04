/**
 * Events as log records, in the category `["udptunnel", name]` of LogTape. This only logs: whoever runs the process says
 * where records go (`configure` of @logtape/logtape); until then they go nowhere.
 */

import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { describe } from "./describe.ts";
import type { EventLevel, EventListener } from "./events.ts";
import { redact, redactText } from "./redact.ts";

/** The root of the categories. */
export const CATEGORY = "udptunnel";

type Level = EventLevel | "trace" | "error";
type LogTape = Pick<typeof import("@logtape/logtape"), "getLogger">;
type Logger = Pick<ReturnType<LogTape["getLogger"]>, "emit">;
type Entry = Omit<Parameters<Logger["emit"]>[0], "category">;

/** At most this many records are kept until LogTape is loaded. */
const WAITING_MAX = 10_000;
const ORDER: readonly Level[] = ["trace", "debug", "info", "warning", "error"];

export interface EventLogOptions {
  /** What the tunnel is called. */
  readonly name: string;
  /** Hides addresses. */
  readonly redact?: boolean | undefined;
  /** Events that matter less are not logged; all are, when missing. */
  readonly lowest?: Level | undefined;
  /** Loads LogTape, when the first record needs it: a tunnel without news does not pay for it. */
  readonly load?: (() => Promise<LogTape>) | undefined;
}

export class EventLog {
  readonly #options: EventLogOptions;
  readonly #lowest: number;
  #logger: Logger | undefined;
  #loading: Promise<void> | undefined;
  #waiting: Entry[] = [];

  constructor(options: EventLogOptions) {
    this.#options = options;
    this.#lowest = ORDER.indexOf(options.lowest ?? "trace");
  }

  /** Logs an event. @param repeats how many like it were held back before. */
  readonly onEvent: EventListener = (event, level, repeats) => {
    if (ORDER.indexOf(level) < this.#lowest) return;
    const shown = this.#options.redact ? redact(event) : event;
    const again = repeats > 0 ? ` (${repeats} more like this were not shown)` : "";
    const { type, ...details } = shown;
    this.#emit(level, describe(shown) + again, { event: type, ...details, ...(repeats > 0 && { repeats }) });
  };

  /** Logs one datagram. */
  readonly onDatagram = (direction: "outbound" | "inbound", source: Endpoint, bytes: number): void => {
    const from = this.#options.redact ? redact(source) : source;
    const text = `${direction}: ${bytes} bytes from ${formatEndpoint(from)}`;
    this.#emit("trace", text, { event: "datagram", direction, bytes, source: from });
  };

  /** Logs what is not an event of the tunnel, whatever the lowest level. */
  say(level: Level, text: string, properties: Record<string, unknown> = {}): void {
    if (!this.#options.redact) this.#emit(level, text, properties);
    else this.#emit(level, redactText(text), redact(properties));
  }

  /** Settles when LogTape has been given everything logged so far. */
  async flushed(): Promise<void> {
    await this.#loading;
  }

  #emit(level: Level, text: string, properties: Record<string, unknown>): void {
    const entry = { level, message: [text], rawMessage: text, timestamp: Date.now(), properties };
    if (this.#logger !== undefined) return this.#logger.emit(entry);
    if (this.#waiting.length < WAITING_MAX) this.#waiting.push(entry);
    this.#loading ??= this.#load().catch(() => {
      // No descriptor is left, for example. The next record tries again.
      this.#loading = undefined;
    });
  }

  async #load(): Promise<void> {
    const { load = () => import("@logtape/logtape"), name } = this.#options;
    const { getLogger } = await load();
    const logger = getLogger([CATEGORY, name]);
    for (const entry of this.#waiting) logger.emit(entry);
    this.#waiting = [];
    this.#logger = logger;
  }
}
