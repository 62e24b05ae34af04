/** The end of a tunnel or channel: it happens once, and queued data gets a limited time to be sent. */

import type { Clock } from "../net/clock.ts";
import { raise } from "../observe/invoke-listener.ts";

/** How long queued data may be written after `close`. */
export const CLOSE_MS = 1000;
const POLL_MS = 5;

/** Settles when `isWriting` returns false, or at the deadline. */
export async function waitUntilFlushed(
  clock: Clock,
  isWriting: () => boolean,
  deadline: number,
): Promise<void> {
  while (isWriting() && clock.now() < deadline) {
    await new Promise<void>((resolve) => void clock.after(POLL_MS, resolve));
  }
}

interface Closable {
  readonly closed: Promise<unknown>;
  close(): Promise<void>;
}

/** Closes `closable` when the signal is aborted. The listener is removed once `closable` is closed. */
export function closeOnAbort(closable: Closable, signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  const close = () => void closable.close();
  const removeListener = () => signal.removeEventListener("abort", close);
  signal.addEventListener("abort", close, { once: true });
  closable.closed.then(removeListener, removeListener);
}

/** Ends something once: on request or by itself, with an error or without. */
export class Lifecycle {
  /** Settles at the end. Rejects if there was a failure. */
  readonly closed: Promise<void>;
  readonly #finish: () => Promise<void>;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;
  readonly #released = Promise.withResolvers<void>();
  #phase: "running" | "closing" | "closed" = "running";

  /** @param finish releases everything. Called once. */
  constructor(finish: () => Promise<void>) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.closed = promise;
    this.closed.catch(() => {}); // the caller need not handle a failure
    this.#finish = finish;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get phase(): "running" | "closing" | "closed" {
    return this.#phase;
  }

  /**
   * Ends it. Later calls return the first call's promise, also while `finish` runs.
   *
   * @param failure what `closed` rejects with.
   * @returns settles when everything is released. It never rejects. If `finish` rejects, that is a defect: it
   *   is raised as an uncaught exception, and `closed` rejects with it unless there is a failure.
   */
  end(failure?: Error): Promise<void> {
    const { promise } = this.#released;
    if (this.#phase !== "running") return promise;
    this.#phase = "closing";
    this.#finish().then(
      () => this.#settle(failure),
      (defect) => {
        this.#settle(failure ?? defect);
        raise(defect);
      },
    );
    return promise;
  }

  #settle(failure: Error | undefined): void {
    this.#phase = "closed";
    if (failure === undefined) this.#resolve();
    else this.#reject(failure);
    this.#released.resolve();
  }
}
