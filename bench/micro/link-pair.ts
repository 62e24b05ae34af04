/** Two links joined by a stream in memory: a whole tunnel from UDP to UDP, without system calls. */

import { Link } from "../../src/link/link.ts";
import type { DatagramSender, SendObserver } from "../../src/net/datagram-port.ts";
import type { StreamPort, StreamReceiver } from "../../src/net/stream-port.ts";
import { Counters } from "../../src/observe/counters.ts";

export interface LinkPair {
  /** A datagram arrives at one end. */
  push(datagram: Uint8Array): void;
  /** Ends a tick of the event loop: queued datagrams are written, arrive and are sent. */
  endTick(): void;
  /** Datagrams and payload bytes that the other end has sent. */
  readonly sent: { datagrams: number; bytes: number };
  readonly counters: Counters;
}

/** Makes a pair. Its clock advances by a millisecond per tick. */
export function linkPair(): LinkPair {
  const sent = { datagrams: 0, bytes: 0 };
  const counters = new Counters();
  let now = 0;
  let ends: (() => void)[] = [];
  const clock = {
    now: () => now,
    after: () => ({ cancel() {} }),
    endOfTick: (run: () => void) => void ends.push(run),
  };
  const link = () =>
    new Link({
      use: "peer",
      clock,
      counters,
      settings: { queueBytesMax: 4 * 1024 * 1024, maxDelayMs: 200, deadAfterMs: 15_000, inFlight: "auto" },
    });
  const [near, far] = [link(), link()];
  far.sendTo((observer) => new CountingSender(sent, observer), 4);
  const stream = memoryStream((chunk) => far.onChunk(chunk));
  near.attach(stream, () => {});
  far.attach(
    memoryStream(() => {}),
    () => {},
  );
  return {
    push: (datagram) => near.onDatagram(datagram),
    endTick() {
      now++;
      const due = ends;
      ends = [];
      for (const run of due) run();
    },
    sent,
    counters,
  };
}

/** Takes everything, and hands it on as one chunk, copied as a kernel does. */
function memoryStream(onChunk: (chunk: Uint8Array) => void): StreamPort {
  const endpoint = { address: "192.0.2.1", port: 1 };
  return {
    local: endpoint,
    remote: endpoint,
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
  readonly #sent: { datagrams: number; bytes: number };
  readonly #observer: SendObserver;
  #datagrams = 0;
  #bytes = 0;

  constructor(sent: { datagrams: number; bytes: number }, observer: SendObserver) {
    this.#sent = sent;
    this.#observer = observer;
  }

  add(_bytes: Uint8Array, _start: number, length: number): void {
    this.#datagrams++;
    this.#bytes += length;
  }

  flush(): void {
    this.#observer.onSent(this.#datagrams, this.#bytes, 1);
    this.#sent.datagrams += this.#datagrams;
    this.#sent.bytes += this.#bytes;
    this.#datagrams = 0;
    this.#bytes = 0;
  }

  drop(): void {}
}
