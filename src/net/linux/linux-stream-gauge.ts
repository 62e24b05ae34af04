/** TCP_INFO as the tunnel's {@link StreamGauge}. One object serves all streams of a tunnel, one at a time. */

import type { StreamGauge } from "../stream-port.ts";
import type { Libc } from "./libc.ts";
import { TcpInfo } from "./tcp-info.ts";

export class LinuxStreamGauge implements StreamGauge {
  unsentBytes = 0;
  mssBytes = 0;
  rttMs = 0;
  minRttMs = 0;
  deliveredBytes = 0;
  retransmits = 0;
  readonly #info: TcpInfo;
  #fd = -1;
  #unackedBytes: number | undefined;

  constructor(libc: Libc) {
    this.#info = new TcpInfo(libc);
  }

  /** Reads this socket; false when the kernel is too old to say all, or the socket is gone. */
  read(fd: number): boolean {
    const info = this.#info;
    if (info.read(fd) !== undefined) return false;
    const { deliveredBytes, sndMss, rttUs, minRttUs, notsentBytes } = info;
    if (deliveredBytes === undefined || notsentBytes === undefined || minRttUs === undefined) return false;
    this.#fd = fd;
    this.#unackedBytes = undefined;
    this.mssBytes = sndMss ?? 0;
    this.deliveredBytes = deliveredBytes;
    this.unsentBytes = notsentBytes;
    this.rttMs = (rttUs ?? 0) / 1000;
    this.minRttMs = minRttUs / 1000;
    this.retransmits = info.retransmits ?? 0;
    return true;
  }

  get lastAckMs(): number | undefined {
    return this.#info.lastAckRecvMs;
  }

  /**
   * By SIOCOUTQ, which cannot drift, and exact however small the segments are. Not bytes_sent - bytes_retrans -
   * bytes_acked: when a queueing discipline of this host drops a segment, bytes_sent counts it again, so that the
   * difference never returns to 0. Not tcpi_unacked * mss: 172-byte segments would count eightfold. It takes a second
   * system call, so the kernel is only asked when a reader wants it: while the window bounds what is in flight.
   */
  get unackedBytes(): number {
    this.#unackedBytes ??= this.#info.unackedBytes(this.#fd) ?? this.unsentBytes;
    return this.#unackedBytes;
  }

  get outstandingBytes(): number {
    return this.unackedBytes - this.unsentBytes - this.#info.sackedBytes;
  }

  get inFlightBytes(): number {
    return Math.max(0, this.outstandingBytes - this.#info.lostBytes);
  }
}
