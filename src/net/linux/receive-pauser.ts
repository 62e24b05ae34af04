/**
 * Keeps a flood from starving the rest. Bun 1.4.5 reads a UDP socket until it is empty, however long that takes: no
 * timer and no other socket gets its turn before.
 *
 * When a socket has used its share of the process's time slice, an empty socket replaces the descriptor Bun reads:
 * Bun's loop finds nothing more and ends. The real socket goes on receiving under another number. The kernel's poll
 * follows the open file and not the number (epoll(7), question 6), so that Bun hears of it again once it is back in its
 * place.
 *
 * Only while Bun waits for room to send must the socket stay where it is, for at the end of its loop Bun tells the poll
 * to wait for that no more, and the real socket would never hear of it: the loop would spin. Then a filter drops what
 * arrives until the socket is read again. What is queued is still delivered.
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
const QUANTUM = 32;

export class LinuxReceivePauser implements ReceivePauser, PausedSocket {
  fd: number;
  /** It must yield before it has brought much, and unread datagrams wait in the kernel. */
  readonly lastBytes = 0;
  readonly hasRoom = true;
  readonly #libc: Libc;
  /** The number Bun knows. */
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
    if (++this.#datagrams % QUANTUM !== 0 || !this.#slice.mustYield) return;
    this.pause(writePending);
    this.#slice.awaitRead(this);
  }

  readAgain(): void {
    this.resume();
  }

  /** Bun finds nothing to read from now on, or soon. When no descriptor is left, the filter is used instead. */
  pause(writePending: boolean): void {
    if (this.#closed) return;
    if (writePending || !this.#moveAway()) this.#filtered = this.#filter.attach(this.#bunFd);
  }

  resume(): void {
    this.#slice.forgetSocket(this);
    if (this.#filtered) {
      this.#filtered = false;
      this.#filter.detach(this.#bunFd);
    } else if (this.#closed) {
      this.#put(this.fd);
      this.fd = this.#bunFd;
    }
  }

  get #closed(): boolean {
    return this.#filtered || this.fd !== this.#bunFd;
  }

  /** @returns whether it worked: it takes two descriptors. */
  #moveAway(): boolean {
    const empty = anyUdpSocket(this.#libc);
    if (empty < 0) return false;
    const elsewhere = this.#libc.fcntl(this.#bunFd, F_DUPFD_CLOEXEC, 0);
    if (elsewhere < 0) {
      this.#libc.close(empty);
      return false;
    }
    this.#put(empty);
    this.fd = elsewhere;
    return true;
  }

  /** Moves a socket to the number Bun knows, in the place of the one that is there. */
  #put(fd: number): void {
    this.#libc.dup3(fd, this.#bunFd, SOCK_CLOEXEC);
    this.#libc.close(fd);
  }
}

const RET_K = 0x06; // BPF_RET | BPF_K of linux/filter.h: keep so many bytes of the packet, here none

/**
 * A filter in the kernel that drops every packet before a socket sees it (socket(7), SO_ATTACH_FILTER). One serves any number of UDP sockets; it needs no privilege. (For TCP sockets Linux 6.18 asks for one.)
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

  /** From now on everything is dropped, and counted among the socket's drops. Says whether it worked. */
  attach(fd: number): boolean {
    const { length } = this.#program;
    return this.#libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, this.#program, length) === 0;
  }

  detach(fd: number): void {
    this.#libc.setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, memory(4), 4);
  }
}
