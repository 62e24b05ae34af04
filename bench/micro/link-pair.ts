/** Two links joined by a stream in memory: a whole tunnel, from one UDP side to the other, without a system call. */

import { Link } from "../../src/link/link.ts";
import type { DatagramSender, SendObserver } from "../../src/net/datagram-port.ts";
import type { StreamPort, StreamReceiver } from "../../src/net/stream-port.ts";
import { Counters } from "../../src/observe/counters.ts";

export interface LinkPair {
  /** Takes a datagram in at one end. */
  push(datagram: Uint8Array): void;
  /** Ends a turn of the event loop: what is queued is written, arrives, and is sent. */
  endTurn(): void;
  /** Datagrams and payload bytes that have left at the other end. */
  readonly left: { datagrams: number; bytes: number };
  readonly counters: Counters;
}

/** Makes one. Its clock advances by a millisecond a turn. */
export function linkPair(): LinkPair {
  const left = { datagrams: 0, bytes: 0 };
  const counters = new Counters();
  let now = 0;
  let turn: (() => void)[] = [];
  const clock = {
    now: () => now,
    after: () => ({ cancel() {} }),
    endOfTick: (run: () => void) => void turn.push(run),
  };
  const link = () =>
    new Link({
      use: "peer",
      clock,
      counters,
      settings: { queueBytesMax: 4 * 1024 * 1024, maxDelayMs: 200, deadAfterMs: 15_000, inFlight: "auto" },
    });
  const [near, far] = [link(), link()];
  far.sendTo((observer) => new CountingSender(left, observer), 4);
  const stream = memoryStream((chunk) => far.onChunk(chunk));
  near.attach(stream, () => {});
  far.attach(
    memoryStream(() => {}),
    () => {},
  );
  return {
    push: (datagram) => near.onDatagram(datagram),
    endTurn() {
      now++;
      const due = turn;
      turn = [];
      for (const run of due) run();
    },
    left,
    counters,
  };
}

/** Takes all it is given, and hands it on as one chunk, copied as a kernel would. */
function memoryStream(onChunk: (chunk: Uint8Array) => void): StreamPort {
  const nowhere = { address: "192.0.2.1", port: 1 };
  return {
    local: nowhere,
    remote: nowhere,
    receive(_receiver: StreamReceiver) {},
    write(bytes) {
      onChunk(bytes.slice());
      return bytes.length;
    },
    gauge: () => undefined,
    pause() {},
    resume() {},
    shutdown() {},
    terminate() {},
  } as StreamPort;
}

/** A UDP socket that is never full. */
class CountingSender implements DatagramSender {
  readonly blocked = false;
  readonly held = 0;
  readonly #left: { datagrams: number; bytes: number };
  readonly #observer: SendObserver;
  #datagrams = 0;
  #bytes = 0;

  constructor(left: { datagrams: number; bytes: number }, observer: SendObserver) {
    this.#left = left;
    this.#observer = observer;
  }

  add(_bytes: Uint8Array, _start: number, length: number): void {
    this.#datagrams++;
    this.#bytes += length;
  }

  flush(): void {
    this.#observer.onSent(this.#datagrams, this.#bytes, 1);
    this.#left.datagrams += this.#datagrams;
    this.#left.bytes += this.#bytes;
    this.#datagrams = 0;
    this.#bytes = 0;
  }

  drop(): void {}
}
