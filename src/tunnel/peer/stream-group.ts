/** The streams of one peer: one, or in RTP mode two. Two relay only while both are up, and end together. */

import { type Link, reasonOf, type StreamEnd } from "../../link/link.ts";
import type { DrainingStreams } from "../../net/close-stream.ts";
import type { StreamPort } from "../../net/stream-port.ts";
import type { DisconnectReason } from "../../observe/events.ts";

export interface StreamGroupEvents {
  /** Every link has its stream, and relaying has begun. */
  onComplete(streams: readonly StreamPort[]): void;
  /** A stream ended, so the group ends all of them. Called once, also when the group was never complete. */
  onEnded(reason: DisconnectReason, code: string | undefined): void;
}

export class StreamGroup {
  readonly #links: readonly Link[];
  readonly #draining: DrainingStreams;
  readonly #events: StreamGroupEvents;
  readonly #streams: (StreamPort | undefined)[];
  #ended = false;

  /** @param context the links, and `draining`, which gets their streams when the group ends. */
  constructor(
    { links, draining }: { readonly links: readonly Link[]; readonly draining: DrainingStreams },
    events: StreamGroupEvents,
  ) {
    this.#links = links;
    this.#draining = draining;
    this.#events = events;
    this.#streams = links.map(() => undefined);
  }

  /** Whether every link has its stream. */
  get complete(): boolean {
    return this.#streams.every((stream) => stream !== undefined);
  }

  /** Whether the peer has sent a whole frame. */
  get receivedFrame(): boolean {
    return this.#links.some((link, index) => this.#streams[index] !== undefined && link.receivedFrame);
  }

  has(index: number): boolean {
    return this.#streams[index] !== undefined;
  }

  /** See {@link StreamPort.probeOften}. */
  probeOften(often: boolean): void {
    for (const stream of this.#streams) stream?.probeOften(often);
  }

  /**
   * The longest time for which the peer's kernel has acknowledged nothing on one of the streams; undefined
   * when unknown.
   */
  get silentMs(): number | undefined {
    const silences = this.#streams.map((stream) => stream?.gauge()?.lastAckMs);
    return silences.reduce((most, ms) => (ms === undefined ? most : Math.max(ms, most ?? 0)), undefined);
  }

  /** Gives link `index` its stream. Call it in the tick in which the stream came up. */
  add(index: number, stream: StreamPort): void {
    if (this.#ended) return stream.terminate();
    this.#streams[index] = stream;
    // Unblock first: the stream may deliver frames as soon as it is attached.
    if (this.complete) for (const link of this.#links) link.unblock();
    (this.#links[index] as Link).attach(stream, (end) => this.#onStreamEnd(stream, end));
    if (this.complete && !this.#ended) this.#events.onComplete(this.#streams as StreamPort[]);
  }

  /** Ends every stream gracefully: data already written still arrives. */
  end(reason: DisconnectReason, timeoutMs?: number): void {
    this.#finish(reason, undefined, undefined, timeoutMs);
  }

  #onStreamEnd(stream: StreamPort, end: StreamEnd): void {
    if (end.by === "error") this.#finish(reasonOf(end), end.code, stream);
    else this.#finish(reasonOf(end));
  }

  /** @param closed the stream that is already closed, if any. */
  #finish(reason: DisconnectReason, code?: string, closed?: StreamPort, timeoutMs?: number): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const [index, link] of this.#links.entries()) {
      const stream = this.#streams[index];
      if (stream !== undefined) {
        const onLateChunk = link.detach();
        if (stream !== closed) this.#draining.add(stream, onLateChunk, timeoutMs);
      }
      if (this.#links.length > 1) link.block("pair incomplete");
    }
    this.#events.onEnded(reason, code);
  }
}
