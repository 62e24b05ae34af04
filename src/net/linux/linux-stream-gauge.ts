/** {@link StreamGauge} from TCP_INFO. One object serves all streams of a tunnel, one at a time. */

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

  /**
   * Reads the values of a socket. @returns false when the kernel is too old to report all values, or the
   * socket is closed.
   */
  read(fd: number): boolean {
    const info = this.#info;
    if (!info.read(fd)) return false;
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
   * Uses SIOCOUTQ, which is exact for segments of any size and does not drift. bytes_sent - bytes_retrans -
   * bytes_acked drifts: when a queueing discipline of this host drops a segment, bytes_sent counts it twice,
   * and the difference never returns to 0. tcpi_unacked * mss counts 172-byte segments eightfold. SIOCOUTQ is
   * a second system call, so it is made only when a caller reads the value: while the send window limits the
   * bytes in flight.
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
