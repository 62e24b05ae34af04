/**
 * Keeps a flood on one UDP socket from starving timers and other sockets: Bun 1.4.5 reads a socket until it
 * is empty, however long that takes.
 *
 *   1. When the socket has used its share of the time slice, an empty socket replaces it at the descriptor
 *      that Bun reads. Bun finds nothing more to read, and its loop ends. The real socket still receives, at
 *      another descriptor.
 *   2. When the rotation reaches the socket again, it is put back. The kernel polls the open file, not the
 *      descriptor (epoll(7), question 6), so Bun is notified again.
 *   3. While Bun polls the socket for writability, it must not be replaced: Bun would clear EPOLLOUT on the
 *      empty socket, the real one would stay armed, and the loop would spin. A filter then drops arriving
 *      datagrams until the socket is resumed. Bun still delivers queued datagrams.
 */

import type { ReceivePauser } from "../system-sockets.ts";
import type { PausedSocket, TimeSlice } from "../time-slice.ts";
import {
  F_DUPFD_CLOEXEC,
  SO_ATTACH_FILTER,
  SO_DETACH_FILTER,
  SOCK_CLOEXEC,
  SOL_SOCKET,
} from "./constants.ts";
import { anyUdpSocket, type Libc, memory } from "./libc.ts";

/** A socket's quantum of the time slice, in datagrams. */
export const QUANTUM_DATAGRAMS = 32;

export class LinuxReceivePauser implements ReceivePauser, PausedSocket {
  fd: number;
  /**
   * It yields after a few datagrams, so it counts as having brought nothing. Unread datagrams stay in the
   * kernel.
   */
  readonly lastBytes = 0;
  readonly hasRoom = true;
  readonly #libc: Libc;
  /** The descriptor that Bun reads. */
  readonly #bunFd: number;
  readonly #slice: TimeSlice;
  readonly #filter: DropFilter;
  #filtered = false;
  /** Datagrams in the current tick of the time slice. */
  #datagrams = 0;
  #tick = -1;

  constructor(libc: Libc, bunFd: number, slice: TimeSlice, filter: DropFilter) {
    this.#libc = libc;
    this.#bunFd = bunFd;
    this.#slice = slice;
    this.#filter = filter;
    this.fd = bunFd;
  }

  onDatagram(writePending: boolean): void {
    if (this.#tick !== this.#slice.tick) {
      this.#tick = this.#slice.tick;
      this.#datagrams = 0;
      this.#slice.begin();
    }
    if (++this.#datagrams % QUANTUM_DATAGRAMS !== 0 || !this.#slice.mustYield) return;
    this.pause(writePending);
    this.#slice.awaitRead(this);
  }

  readAgain(): void {
    this.resume();
  }

  /**
   * Ends Bun's loop: at once, or, with the filter, after the queued datagrams. Without a free descriptor it
   * uses the filter.
   */
  pause(writePending: boolean): void {
    if (this.#paused) return;
    if (writePending || !this.#replace()) this.#filtered = this.#filter.attach(this.#bunFd);
  }

  resume(): void {
    this.#slice.forgetSocket(this);
    if (this.#filtered) {
      this.#filtered = false;
      this.#filter.detach(this.#bunFd);
    } else if (this.#paused) {
      this.#moveToBun(this.fd);
      this.fd = this.#bunFd;
    }
  }

  get #paused(): boolean {
    return this.#filtered || this.fd !== this.#bunFd;
  }

  /** Puts an empty socket at Bun's descriptor. @returns whether it worked: it takes two descriptors. */
  #replace(): boolean {
    const empty = anyUdpSocket(this.#libc);
    if (empty < 0) return false;
    const moved = this.#libc.fcntl(this.#bunFd, F_DUPFD_CLOEXEC, 0);
    if (moved < 0) {
      this.#libc.close(empty);
      return false;
    }
    this.#moveToBun(empty);
    this.fd = moved;
    return true;
  }

  /** Moves a socket to Bun's descriptor. */
  #moveToBun(fd: number): void {
    this.#libc.dup3(fd, this.#bunFd, SOCK_CLOEXEC);
    this.#libc.close(fd);
  }
}

const RET_K = 0x06; // BPF_RET | BPF_K of linux/filter.h: keep k bytes of the packet, here 0

/**
 * A socket filter that drops every packet (socket(7), SO_ATTACH_FILTER). One object serves any number of UDP
 * sockets and needs no privilege. (For TCP sockets Linux 6.18 requires one.)
 */
export class DropFilter {
  readonly #libc: Libc;
  /** struct sock_filter: u16 code, u8 jt, u8 jf, u32 k (linux/filter.h). */
  readonly #instruction = memory(8);
  /** struct sock_fprog: u16 len, then at 8 the address of the instructions (linux/filter.h). */
  readonly #program = memory(16);

  constructor(libc: Libc) {
    this.#libc = libc;
    new DataView(this.#instruction.buffer).setUint16(0, RET_K, true);
    const program = new DataView(this.#program.buffer);
    program.setUint16(0, 1, true);
    program.setBigUint64(8, BigInt(libc.addressOf(this.#instruction.buffer)), true);
  }

  /**
   * Drops every packet that arrives, and counts it among the drops of the socket. @returns whether it worked.
   */
  attach(fd: number): boolean {
    const { length } = this.#program;
    return this.#libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, this.#program, length) === 0;
  }

  detach(fd: number): void {
    this.#libc.setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, memory(4), 4);
  }
}
