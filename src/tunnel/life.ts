/** How a tunnel ends: once, by `close` or by itself, well or with an error. */

import { raise } from "../observe/invoke-listener.ts";

export class Lifecycle {
  /** Settles when the tunnel is over. */
  readonly over: Promise<void>;
  readonly #finish: () => Promise<void>;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;
  #ending: Promise<void> | undefined;
  #ended = false;

  /** @param finish lets go of everything; called once. */
  constructor(finish: () => Promise<void>) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.over = promise;
    this.over.catch(() => {}); // who does not ask how it ended does not care
    this.#finish = finish;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** How far it is. */
  get phase(): "running" | "closing" | "closed" {
    if (this.#ending === undefined) return "running";
    return this.#ended ? "closed" : "closing";
  }

  /**
   * Ends the tunnel.
   *
   * @param failure what `over` rejects with.
   * @returns settles when everything is released; never rejects. A rejection of `finish` is a defect: `over` rejects
   *   with it unless there is a failure, and it is raised as an uncaught exception.
   */
  end(failure?: Error): Promise<void> {
    this.#ending ??= this.#finish().then(
      () => this.#settle(failure),
      (defect) => {
        this.#settle(failure ?? defect);
        raise(defect);
      },
    );
    return this.#ending;
  }

  #settle(failure: Error | undefined): void {
    this.#ended = true;
    if (failure === undefined) this.#resolve();
    else this.#reject(failure);
  }
}
