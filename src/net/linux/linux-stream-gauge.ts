/** TCP_INFO as the tunnel's {@link StreamGauge}. One object serves all streams of a tunnel, one at a time. */

import type { StreamGauge } from "../stream-port.ts";
import type { Libc } from "./libc.ts";
import { TcpInfo } from "./tcp-info.ts";

export class LinuxStreamGauge implements StreamGauge {
  inFlightBytes = 0;
  outstandingBytes = 0;
  unsentBytes = 0;
  mssBytes = 0;
  rttMs = 0;
  minRttMs = 0;
  deliveredBytes = 0;
  retransmits = 0;
  readonly #info: TcpInfo;

  constructor(libc: Libc) {
    this.#info = new TcpInfo(libc);
  }

  /** Asks about this socket; false when the kernel is too old to say all, or the socket is gone. */
  read(fd: number): boolean {
    const info = this.#info;
    if (info.read(fd) !== undefined) return false;
    const { inFlightBytes, outstandingBytes, deliveredBytes, sndMss, rttUs, minRttUs, notsentBytes } = info;
    if (inFlightBytes === undefined || outstandingBytes === undefined) return false;
    if (deliveredBytes === undefined) return false;
    if (notsentBytes === undefined || minRttUs === undefined) return false;
    this.mssBytes = sndMss ?? 0;
    this.inFlightBytes = inFlightBytes;
    this.outstandingBytes = outstandingBytes;
    this.deliveredBytes = deliveredBytes;
    this.unsentBytes = notsentBytes;
    this.rttMs = (rttUs ?? 0) / 1000;
    this.minRttMs = minRttUs / 1000;
    this.retransmits = info.retransmits ?? 0;
    return true;
  }
}
