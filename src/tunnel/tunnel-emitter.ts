/** What makes a tunnel's handle an emitter of its events. */

import { EventEmitter } from "node:events";
import type { Clock } from "../net/clock.ts";
import type { Counters } from "../observe/counters.ts";
import type { EventLevel, TunnelEvent } from "../observe/events.ts";
import { invokeListener } from "../observe/invoke-listener.ts";
import { type Gauges, statsOf, type TunnelStats } from "../observe/stats.ts";

/** Each event under its type; a listener is given the event and how much it matters. */
export type TunnelEventMap = {
  [Type in TunnelEvent["type"]]: [event: Extract<TunnelEvent, { type: Type }>, level: EventLevel];
};

export abstract class TunnelEmitter extends EventEmitter<TunnelEventMap> {
  /** What happened before anybody could listen; undefined when all of it has been told. */
  #early: [event: TunnelEvent, level: EventLevel][] | undefined = [];

  abstract readonly counters: Counters;
  abstract readonly held: { outbound: number; inbound: number };
  abstract gauges(): Gauges;

  constructor() {
    super();
    this.setMaxListeners(0); // else the eleventh listener makes the runtime print a warning
  }

  /** Emits the event, or keeps it until listeners are there. */
  tell(event: TunnelEvent, level: EventLevel): void {
    if (this.#early !== undefined) this.#early.push([event, level]);
    else invokeListener(() => void (this as EventEmitter).emit(event.type, event, level));
  }

  stats(): TunnelStats {
    return statsOf(this.counters, this.held, this.gauges());
  }

  /** Emits what was kept, at the end of this turn: who was handed the tunnel in it has attached listeners by then. */
  beginTelling(clock: Clock): void {
    clock.endOfTick(() => {
      const early = this.#early ?? [];
      this.#early = undefined;
      for (const [event, level] of early) this.tell(event, level);
    });
  }
}
