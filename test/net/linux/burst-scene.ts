/** For tests of UDP sockets that Bun and the direct receive read in turn. */

import { BunDatagramPort } from "../../../src/net/bun/datagram-port.ts";
import { type Clock, systemClock } from "../../../src/net/clock.ts";
import type { DatagramReceiver, SendObserver } from "../../../src/net/datagram-port.ts";
import { LinuxDirectReceive } from "../../../src/net/linux/direct-receive.ts";
import type { Libc } from "../../../src/net/linux/libc.ts";
import { LinuxSockets } from "../../../src/net/linux/linux-sockets.ts";
import type { SystemSockets } from "../../../src/net/system-sockets.ts";
import { libc } from "./open-libc.ts";

const options = { deadAfterMs: 15_000, socketBufferBytes: 4 << 20 };

/** Sockets that merge or do not; the test decides when their quiet time has passed. */
export class Scene {
  /** Counts changes: every one puts another file at Bun's descriptor. */
  changes = 0;
  readonly libc: Libc = { ...libc, dup3: (...call) => this.#count(libc.dup3(...call)) };
  readonly clock: Clock = {
    ...systemClock,
    after: (_delayMs, run) => {
      this.#timers.add(run);
      return { cancel: () => void this.#timers.delete(run) };
    },
  };
  /** Descriptors from this one on may not be used. */
  openBelow = Infinity;
  readonly #timers = new Set<() => void>();
  readonly #system: LinuxSockets;
  readonly #offload: "auto" | "off";

  constructor(offload: "auto" | "off" = "auto") {
    this.#offload = offload;
    this.#system = LinuxSockets.open({ ...options, offload }) as LinuxSockets;
  }

  #count(result: number): number {
    this.changes++;
    return result;
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** The quiet time of every socket passes. */
  passQuietTime(): void {
    for (const run of [...this.#timers]) {
      this.#timers.delete(run);
      run();
    }
  }

  open(receiver: DatagramReceiver, address = "127.0.0.1", oneTarget = false): BunDatagramPort {
    const system = this.#system;
    const changed: Partial<SystemSockets> = {
      directReceive: (fd, to, always) =>
        new LinuxDirectReceive(this.libc, fd, to, {
          clock: this.clock,
          merge: this.#offload === "auto",
          always,
          mayOpen: (fd) => fd < this.openBelow,
        }),
    };
    const all = new Proxy(system, {
      get: (_target, key) => {
        const own = changed[key as keyof SystemSockets];
        if (own !== undefined) return own;
        const value = system[key as keyof LinuxSockets] as unknown;
        return typeof value === "function" ? value.bind(system) : value;
      },
    });
    return new BunDatagramPort({ bind: { address, port: 0 }, oneTarget }, receiver, all);
  }
}

/** Sends datagrams, with segment offload or plainly. */
export class Source implements SendObserver, DatagramReceiver {
  sent = 0;
  readonly port: BunDatagramPort;
  readonly #sender;

  constructor(to: BunDatagramPort, offload: "auto" | "off" = "auto") {
    const system = LinuxSockets.open({ ...options, offload });
    this.port = new BunDatagramPort({ bind: { address: to.local.address, port: 0 } }, this, system);
    this.#sender = this.port.sender(to.local, this);
  }

  send(...payloads: Uint8Array[]): void {
    for (const payload of payloads) this.#sender.add(payload, 0, payload.length);
    this.#sender.flush();
  }

  onSent(datagrams: number): void {
    this.sent += datagrams;
  }
  onSendDropped(reason: string): void {
    throw new Error(`not sent: ${reason}`);
  }
  onWritable(): void {
    this.#sender.flush();
  }
  onDatagram(): void {}
  onError(): void {}
}

export function numbered(count: number, from = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => new TextEncoder().encode(`${from + index}`));
}

export function texts(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `${from + index}`);
}

/** A port with a list of what it received. */
export function record(scene: Scene, onEach: (count: number) => void = () => {}, address?: string) {
  const received: string[] = [];
  const errors: string[] = [];
  const port = scene.open(
    {
      onDatagram: (payload) => {
        received.push(new TextDecoder().decode(payload));
        onEach(received.length);
      },
      onError: (code) => void errors.push(code),
    },
    address,
    true,
  );
  return { port, received, errors };
}
