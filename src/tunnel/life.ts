/** How a tunnel ends: once, by `close` or by itself, well or with an error. */

export class Life {
  /** Settles when the tunnel is over. */
  readonly over: Promise<void>;
  readonly #finish: () => Promise<void>;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;
  #ending: Promise<void> | undefined;

  /** @param finish lets go of everything; called once. */
  constructor(finish: () => Promise<void>) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.over = promise;
    this.over.catch(() => {}); // who does not ask how it ended does not care
    this.#finish = finish;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Whether the end has begun. */
  get ending(): boolean {
    return this.#ending !== undefined;
  }

  /** Ends the tunnel. @param failure what `over` rejects with. @returns settles when everything is let go; never rejects. */
  end(failure?: Error): Promise<void> {
    this.#ending ??= this.#finish().then(() =>
      failure === undefined ? this.#resolve() : this.#reject(failure),
    );
    return this.#ending;
  }
}
