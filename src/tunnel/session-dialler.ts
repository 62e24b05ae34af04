/**
 * Dials for the sessions of a per-source client. While the server answers, each session gets its dial, so many at a
 * time. When it does not, one dial at a time finds out when it is back: thousands of sessions make no storm.
 */

import { NetError, type Network, networkFailure } from "../net/network.ts";
import type { DialTarget, StreamPort } from "../net/stream-port.ts";
import type { EventSource } from "../observe/events.ts";
import { RedialPause } from "./redial-pause.ts";
import { RedialPolicy } from "./redial-policy.ts";
import type { ServerDirectory } from "./server-directory.ts";
import { discard } from "./session.ts";

const CONNECT_TIMEOUT_MS = 5000;
/** Dials under way at once. */
const DIALS_MAX = 64;

/** Somebody who needs a stream. */
export interface StreamSeeker {
  /** Whether the stream is still wanted. */
  readonly seeking: boolean;
  /** To be called in the turn in which the stream came up. */
  onStream(stream: StreamPort): void;
}

export class SessionDialler {
  readonly #network: Network;
  readonly #events: EventSource;
  readonly #directory: ServerDirectory;
  readonly #policy: RedialPolicy;
  readonly #waiting = new Set<StreamSeeker>();
  /** Gives up one dial under way. */
  readonly #cancels = new Set<() => void>();
  /** Where the server answered last; undefined while it does not answer. */
  #server: DialTarget | undefined;
  #probing = false;
  #pause: RedialPause | undefined;
  #stopped = false;
  #answered = true;

  constructor(network: Network, events: EventSource, directory: ServerDirectory) {
    this.#network = network;
    this.#events = events;
    this.#directory = directory;
    this.#policy = new RedialPolicy(() => network.random());
  }

  /** Finds this seeker a stream, in its turn. */
  want(seeker: StreamSeeker): void {
    if (this.#stopped) return;
    this.#waiting.add(seeker);
    this.#proceed();
    this.hurry();
  }

  /** Makes the wait for a server that is gone short, because somebody has something to send. */
  hurry(): void {
    this.#pause?.want();
  }

  /** This seeker wants no stream any more. */
  forget(seeker: StreamSeeker): void {
    this.#waiting.delete(seeker);
  }

  /** Whether the server answered when it was last dialled; true before the first time. */
  get answered(): boolean {
    return this.#answered;
  }

  stop(): void {
    this.#stopped = true;
    this.#pause?.cancel();
    for (const cancel of this.#cancels) cancel();
  }

  #proceed(): void {
    if (this.#stopped || this.#pause !== undefined || this.#probing) return;
    if (this.#server === undefined) {
      if (this.#waiting.size > 0) void this.#probe();
      return;
    }
    for (const seeker of this.#waiting) {
      if (this.#cancels.size >= DIALS_MAX) return;
      this.#waiting.delete(seeker);
      void this.#dialFor(seeker, this.#server);
    }
  }

  async #dialFor(seeker: StreamSeeker, server: DialTarget): Promise<void> {
    const failure = await this.#connect(server, (stream) => this.#hand(stream, seeker));
    if (failure !== undefined) {
      if (seeker.seeking) this.#waiting.add(seeker);
      if (this.#server === server) this.#server = undefined;
    }
    this.#proceed();
  }

  /** Looks for a server that answers; the first session that waits gets the connection. */
  async #probe(): Promise<void> {
    this.#probing = true;
    let failure: NetError | undefined;
    try {
      for (const server of await this.#directory.addresses()) {
        if (this.#stopped) return;
        failure = await this.#connect(server, (stream) => {
          this.#server = server;
          const [first] = this.#waiting;
          if (first !== undefined) this.#waiting.delete(first);
          this.#hand(stream, first);
        });
        if (failure === undefined) break;
      }
    } catch (error) {
      failure = networkFailure(error);
    } finally {
      this.#probing = false;
    }
    if (this.#stopped) return;
    this.#answered = failure === undefined;
    if (failure === undefined) {
      this.#policy.reset();
      this.#events.forget("dial failed");
    } else {
      this.#directory.moveOn();
      this.#wait(failure);
    }
    this.#proceed();
  }

  #hand(stream: StreamPort, seeker: StreamSeeker | undefined): void {
    if (seeker?.seeking && !this.#stopped) seeker.onStream(stream);
    else discard(stream);
  }

  /** @returns undefined when it succeeded. Rejects with what is no failure of the network. */
  #connect(to: DialTarget, onStream: (stream: StreamPort) => void): Promise<NetError | undefined> {
    const dial = this.#network.dial(to);
    return new Promise((resolve, reject) => {
      const release = () => {
        timer.cancel();
        this.#cancels.delete(cancel);
      };
      const settle = (failure: NetError | undefined) => {
        release();
        resolve(failure);
      };
      const cancel = () => {
        dial.cancel();
        settle(new NetError("ECANCELED", "the dial was given up"));
      };
      const timer = this.#network.clock.after(CONNECT_TIMEOUT_MS, () => {
        if (dial.answered) return;
        dial.cancel();
        settle(new NetError("ETIMEDOUT", `${this.#directory.name} does not answer`));
      });
      this.#cancels.add(cancel);
      dial.stream
        .then((stream) => {
          release();
          onStream(stream);
          resolve(undefined);
        })
        .catch((error: unknown) => {
          release();
          if (error instanceof NetError) resolve(error);
          else reject(error);
        });
    });
  }

  #wait(failure: NetError): void {
    const { clock } = this.#network;
    const { delayMs } = this.#policy.onDown(clock.now());
    const { code, message } = failure;
    this.#events.report({ type: "dial failed", to: this.#directory.name, code, message, retryInMs: delayMs });
    this.#pause = new RedialPause(clock, delayMs, () => {
      this.#pause = undefined;
      this.#proceed();
    });
  }
}
