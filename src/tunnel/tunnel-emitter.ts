/** What makes a tunnel's handle an emitter of its events. */

import { EventEmitter } from "node:events";
import type { Clock } from "../net/clock.ts";
import type { EventLevel, TunnelEvent } from "../observe/events.ts";

/** Each event under its type; a listener is given the event and how much it matters. */
export type TunnelEventMap = {
  [Type in TunnelEvent["type"]]: [event: Extract<TunnelEvent, { type: Type }>, level: EventLevel];
};

export class TunnelEmitter extends EventEmitter<TunnelEventMap> {
  /** What happened before anybody could listen; undefined when all of it has been told. */
  #early: [event: TunnelEvent, level: EventLevel][] | undefined = [];

  constructor() {
    super();
    this.setMaxListeners(0); // else the eleventh listener makes the runtime print a warning
  }

  /** Emits the event, or keeps it until listeners are there. */
  tell(event: TunnelEvent, level: EventLevel): void {
    if (this.#early !== undefined) this.#early.push([event, level]);
    else (this as EventEmitter).emit(event.type, event, level);
  }

  /** Emits what was kept, at the end of this turn: who was handed the tunnel in it has attached listeners by then. */
  beginTelling(clock: Clock): void {
    clock.endOfTurn(() => {
      const early = this.#early ?? [];
      this.#early = undefined;
      for (const [event, level] of early) this.tell(event, level);
    });
  }
}
