/**
 * Reads a UDP socket in turn with Bun. Bun reads while little arrives, because its notification of each
 * datagram is cheaper. A burst is cheaper to read directly: many datagrams in one system call, without
 * garbage, and the kernel merges datagrams of one source (UDP_GRO, udp(7)).
 *
 *   1. Bun reads. When a tick brings BURST_DATAGRAMS, the readiness signal ends Bun's receive loop, which has
 *      no other limit in Bun 1.4.5 (readiness-signal.ts).
 *   2. Bun then reports once per tick that the socket is readable, and we read it (datagram-reader.ts). When
 *      the socket has used its share of the time slice, it waits until the rotation reaches it again. The
 *      unread datagrams stay in the kernel, and Bun reports again.
 *   3. When ticks bring few datagrams again, the socket goes back to Bun, at a moment when nothing is queued.
 *
 * A socket that reports local addresses is always read directly, because Bun does not report them. Until
 * Bun's first `drain`, in the tick that opens the socket, Bun still reads. The destination address of those
 * datagrams is unknown.
 */

import type { Clock, Timer } from "../clock.ts";
import type { DatagramReceiver } from "../datagram-port.ts";
import type { DirectReceive } from "../system-sockets.ts";
import { type PausedSocket, TimeSlice } from "../time-slice.ts";
import { SOL_UDP, UDP_GRO } from "./constants.ts";
import { DatagramReader, READ_SLOTS_MAX } from "./datagram-reader.ts";
import type { Libc } from "./libc.ts";
import { READINESS_CODE, ReadinessSignal } from "./readiness-signal.ts";
import { kernelDrops, setNumber } from "./socket-options.ts";

/** A socket's quantum of the time slice, in datagrams. */
const QUANTUM_DATAGRAMS = 32;
/**
 * When Bun gets this many datagrams in one tick, it is a burst. CPU time of a datagram in bursts of 16,
 * measured in a process that only receives: 6.2 us with Bun and 4.5 us directly if the sender uses segment
 * offload, else 7.2 and 5.4 us.
 */
const BURST_DATAGRAMS = 16;
/**
 * With fewer datagrams in a tick, Bun's reading is cheaper. In bursts of 4 without segment offload a datagram
 * took 11.1 us with Bun and 13.9 us directly.
 */
const BREAK_EVEN_DATAGRAMS = 4;
/** The interval between checks whether reading directly still pays. */
const CHECK_MS = 1000;
/**
 * How many slots a read asks for if each can hold 64 merged datagrams: few, because all that was read must be
 * handled in this tick. Asking for more did not make bursts of separate datagrams measurably cheaper.
 */
const MERGED_SLOTS = 2;

/**
 * One for the process, created when the first socket needs it. Its memory is in use only while one batch is
 * handled.
 */
let reader: DatagramReader | undefined;

export interface DirectReceiveOptions {
  readonly clock: Clock;
  /** Whether to ask the kernel to merge datagrams. Older kernels do not support it. */
  readonly merge: boolean;
  /** Whether to read directly at all times, to learn local addresses. */
  readonly always: boolean;
  /** Whether this descriptor may be used for a burst: enough others are left. */
  mayOpen(fd: number): boolean;
}

export class LinuxDirectReceive implements DirectReceive, PausedSocket {
  /** It yields after a few datagrams. Unread ones stay in the kernel. */
  readonly lastBytes = 0;
  readonly hasRoom = true;
  readonly #libc: Libc;
  readonly #signal: ReadinessSignal;
  readonly #receiver: DatagramReceiver;
  readonly #options: DirectReceiveOptions;
  readonly #slice: TimeSlice;
  #drained = false;
  /** Datagrams that Bun has delivered in the current tick of the time slice. */
  #datagrams = 0;
  #tick = -1;
  /** Whether the socket has used its share of the time slice. */
  #waiting = false;
  #merging = false;
  /** The mean number of datagrams in a slot, in the last tick. */
  #perSlot = 1;
  /** The kernel's count of drops at the last estimate, and the estimate of what this count lacks. */
  #drops = 0;
  #uncountedDrops = 0;
  /** The sum of what each tick brought above BREAK_EVEN_DATAGRAMS, since the last check. */
  #gain = 0;
  #check: Timer | undefined;

  /** @param bunFd the descriptor of a UDP socket of Bun. */
  constructor(libc: Libc, bunFd: number, receiver: DatagramReceiver, options: DirectReceiveOptions) {
    this.#libc = libc;
    this.#signal = new ReadinessSignal(libc, bunFd);
    this.#receiver = receiver;
    this.#options = options;
    this.#slice = TimeSlice.of(options.clock);
  }

  get fd(): number {
    return this.#signal.fd;
  }

  onDatagram(): void {
    if (this.#tick !== this.#slice.tick) {
      this.#tick = this.#slice.tick;
      this.#datagrams = 0;
      this.#slice.begin();
    }
    this.#datagrams++;
    // Bun reads such a socket only before its first drain, or without a free descriptor: try in each tick.
    const first = this.#options.always && this.#datagrams === 1;
    if (first || this.#datagrams % BURST_DATAGRAMS === 0) this.#start();
  }

  onFirstDrain(): void {
    this.#drained = true;
    if (this.#options.always || this.#datagrams >= BURST_DATAGRAMS) this.#start();
  }

  onError(code: string): boolean {
    if (code !== READINESS_CODE || !this.#signal.installed) return false;
    if (!this.#drained) this.#signal.remove();
    else if (!this.#waiting) this.#read();
    return true;
  }

  readAgain(): void {
    this.#waiting = false;
  }

  kernelDrops(): number | undefined {
    const drops = kernelDrops(this.#libc, this.fd);
    return drops === undefined ? undefined : drops + this.#uncountedDrops;
  }

  close(): void {
    this.#check?.cancel();
    this.#slice.forgetSocket(this);
    this.#signal.remove();
  }

  /** Begins to read directly. Without a free descriptor Bun continues to read, until the socket is empty. */
  #start(): void {
    const { always, merge, mayOpen } = this.#options;
    if (this.#signal.installed || !this.#signal.install(always ? () => true : mayOpen)) return;
    if (!this.#drained) return; // this only ends Bun's receive loop
    reader ??= new DatagramReader(this.#libc);
    if (merge) this.#setMerging(true);
    if (!always) this.#checkLater();
  }

  #setMerging(on: boolean): void {
    const refused = setNumber(this.#libc, this.fd, SOL_UDP, UDP_GRO, on ? 1 : 0);
    if (refused === undefined) this.#merging = on;
    this.#estimateDrops();
    this.#perSlot = 1;
  }

  #read(): void {
    const from = reader as DatagramReader;
    let datagrams = 0;
    let slotsRead = 0;
    const asked = this.#merging ? MERGED_SLOTS : READ_SLOTS_MAX;
    this.#slice.begin();
    for (;;) {
      const slots = from.read(this.fd, asked);
      if (typeof slots === "string") {
        if (datagrams === 0) this.#readErrors(from, slots);
        break;
      }
      for (let slot = 0; slot < slots && this.#signal.installed; slot++)
        datagrams += this.#deliver(from, slot);
      slotsRead += slots;
      if (slots < asked || !this.#signal.installed) break;
      if (datagrams >= QUANTUM_DATAGRAMS && this.#slice.mustYield) {
        this.#waiting = true;
        this.#slice.awaitRead(this);
        break;
      }
    }
    if (slotsRead > 0) this.#perSlot = datagrams / slotsRead;
    // Fewer datagrams do not fill the buffer.
    if (this.#merging && datagrams >= QUANTUM_DATAGRAMS) this.#estimateDrops();
    this.#gain += datagrams - BREAK_EVEN_DATAGRAMS;
  }

  /** Hands on the datagrams of a slot. @returns how many. */
  #deliver(from: DatagramReader, slot: number): number {
    const length = from.length(slot);
    const segmentBytes = (this.#merging && from.segmentBytes(slot)) || length;
    const port = from.port(slot);
    const address = from.address(slot);
    const local = this.#options.always ? from.local(slot) : undefined;
    let datagrams = 0;
    let start = 0;
    do {
      const payload = from.payload(slot, start, Math.min(segmentBytes, length - start));
      start += segmentBytes;
      datagrams++;
      try {
        this.#receiver.onDatagram(payload, port, address, local);
      } catch (error) {
        // The kernel no longer has the rest of the batch. An exception of one call must not lose it.
        queueMicrotask(() => {
          throw error;
        });
      }
    } while (start < length && this.#signal.installed);
    return datagrams;
  }

  /** The kernel counts merged datagrams that it drops together as one. Each drop counts as a mean slot. */
  #estimateDrops(): void {
    const drops = kernelDrops(this.#libc, this.fd) ?? 0;
    this.#uncountedDrops += Math.round((drops - this.#drops) * (this.#perSlot - 1));
    this.#drops = drops;
  }

  /**
   * Reads the ICMP errors of earlier datagrams. Until they are read, the kernel reports the socket as
   * readable. @param code the error of a read that brought no datagram.
   */
  #readErrors(from: DatagramReader, code: string): void {
    const errors = from.readErrors(this.fd);
    if (errors.length === 0 && code !== "EAGAIN") errors.push(code);
    for (const error of errors) this.#receiver.onError(error);
  }

  #checkLater(): void {
    this.#gain = 0;
    this.#check = this.#options.clock.after(CHECK_MS, () => {
      if (this.#gain > 0 || !this.#giveBack()) this.#checkLater();
    });
  }

  /**
   * Lets Bun read again. When the kernel merges no longer, it does not report the segment length of merged
   * datagrams that are queued. Therefore nothing may be queued then. @returns whether it worked.
   */
  #giveBack(): boolean {
    if (this.#merging) {
      this.#setMerging(false);
      if (!(reader as DatagramReader).isEmpty(this.fd)) {
        this.#setMerging(true);
        return false;
      }
    }
    this.#slice.forgetSocket(this);
    this.#waiting = false;
    this.#signal.remove();
    return true;
  }
}
