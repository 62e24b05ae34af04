/**
 * Keeps a flood from starving the rest. Bun 1.4.5 reads a UDP socket until it is empty, however long that takes: no
 * timer and no other socket gets its turn before.
 *
 * When receiving has taken its share of a turn, an empty socket is put in the place of the descriptor Bun reads: its
 * loop finds nothing more and ends. The real socket goes on receiving under another number. The kernel's poll follows
 * the open file and not the number (epoll(7), question 6), so that Bun hears of it again once it is back in its place.
 *
 * Only while Bun waits for room to send must the socket stay where it is, for at the end of its loop Bun tells the poll
 * to wait for that no more, and the real socket would never hear of it: the loop would spin. Then a filter drops what
 * arrives until the turn is over. What is queued is still delivered.
 */

import type { Clock } from "../clock.ts";
import type { ReceiveGate } from "../system-sockets.ts";
import { AF_INET, F_DUPFD_CLOEXEC, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK } from "./constants.ts";
import type { DropFilter } from "./drop-filter.ts";
import type { Libc } from "./libc.ts";

/** What receiving may cost in one turn of the event loop, looked at every so many datagrams. */
const TURN_US = 3000;
const TURN_LOOK = 32;

export class LinuxReceiveGate implements ReceiveGate {
  fd: number;
  readonly #libc: Libc;
  /** The number Bun knows. */
  readonly #bunFd: number;
  readonly #turn: ReceiveTurn;
  readonly #filter: DropFilter;
  #filtered = false;

  constructor(libc: Libc, bunFd: number, turn: ReceiveTurn, filter: DropFilter) {
    this.#libc = libc;
    this.#bunFd = bunFd;
    this.#turn = turn;
    this.#filter = filter;
    this.fd = bunFd;
  }

  onDatagram(awaitsRoom: boolean): void {
    this.#turn.count(this, awaitsRoom);
  }

  /** From now on Bun finds nothing to read, or soon. With no descriptor to spare, the gate stays open. */
  close(awaitsRoom: boolean): void {
    if (this.#closed) return;
    if (awaitsRoom) this.#filtered = this.#filter.attach(this.#bunFd);
    else this.#moveAway();
  }

  open(): void {
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

  #moveAway(): void {
    const empty = this.#libc.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (empty < 0) return;
    const elsewhere = this.#libc.fcntl(this.#bunFd, F_DUPFD_CLOEXEC, 0);
    if (elsewhere >= 0) {
      this.#put(empty);
      this.fd = elsewhere;
    } else this.#libc.close(empty);
  }

  /** Moves a socket to the number Bun knows, in the place of the one that is there. */
  #put(fd: number): void {
    this.#libc.dup3(fd, this.#bunFd, SOCK_CLOEXEC);
    this.#libc.close(fd);
  }
}

/**
 * What a tunnel's UDP sockets have received since the event loop last looked at everything. It is processor time that
 * counts: a process that was held up has only more to catch up with.
 */
export class ReceiveTurn {
  readonly #clock: Clock;
  #datagrams = 0;
  #beganUs = 0;
  readonly #toOpen: LinuxReceiveGate[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** One more datagram, from the socket behind `gate`. */
  count(gate: LinuxReceiveGate, awaitsRoom: boolean): void {
    if (this.#datagrams++ === 0) this.#clock.endOfTurn(this.#end);
    if (this.#datagrams % TURN_LOOK !== 0) return;
    const { user, system } = process.cpuUsage();
    if (this.#datagrams === TURN_LOOK) this.#beganUs = user + system;
    else if (user + system - this.#beganUs >= TURN_US) {
      gate.close(awaitsRoom);
      this.#toOpen.push(gate);
    }
  }

  readonly #end = (): void => {
    this.#datagrams = 0;
    while (this.#toOpen.length > 0) this.#toOpen.pop()?.open();
  };
}
