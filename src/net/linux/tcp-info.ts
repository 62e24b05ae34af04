/** The kernel's figures for a TCP connection: TCP_INFO of tcp(7). A call takes about 0.5 us. */

import { IPPROTO_TCP, SIOCOUTQ, TCP_INFO } from "./constants.ts";
import { type Libc, memory } from "./libc.ts";

// Field offsets in struct tcp_info (linux/tcp.h). The struct has only grown at its end.
const SND_MSS = 16;
const SACKED = 28;
const LOST = 32;
const RETRANS = 36;
const LAST_ACK_RECV = 56;
const RTT = 68;
const TOTAL_RETRANS = 100;
const BYTES_ACKED = 120;
const NOTSENT_BYTES = 144;
const MIN_RTT = 148;
const READ_BYTES = 152;

/**
 * Reads one connection at a time: call {@link read}, then get the fields. A field is undefined when the
 * kernel is too old for it.
 */
export class TcpInfo {
  readonly #libc: Libc;
  readonly #info = memory(READ_BYTES);
  readonly #infoView = new DataView(this.#info.buffer);
  readonly #length = memory(4);
  readonly #lengthView = new DataView(this.#length.buffer);
  readonly #queued = memory(4);
  readonly #queuedView = new DataView(this.#queued.buffer);
  #validBytes = 0;

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** Reads the figures of a socket. @returns false on an error; the fields are then undefined. */
  read(fd: number): boolean {
    this.#lengthView.setInt32(0, READ_BYTES, true);
    const succeeded = this.#libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, this.#info, this.#length) === 0;
    this.#validBytes = succeeded ? this.#lengthView.getInt32(0, true) : 0;
    return succeeded;
  }

  /** The payload bytes of a full segment. */
  get sndMss(): number | undefined {
    return this.#u32(SND_MSS);
  }

  /** Milliseconds since the last acknowledgement from the peer. */
  get lastAckRecvMs(): number | undefined {
    return this.#u32(LAST_ACK_RECV);
  }

  /** The smoothed round-trip time in microseconds. */
  get rttUs(): number | undefined {
    return this.#u32(RTT);
  }

  /**
   * The minimum round-trip time of the last minutes in microseconds (Linux 4.6); 4,294,967,295 before the
   * first sample.
   */
  get minRttUs(): number | undefined {
    return this.#u32(MIN_RTT);
  }

  /** Bytes written to the socket and never sent (Linux 4.6). */
  get notsentBytes(): number | undefined {
    return this.#u32(NOTSENT_BYTES);
  }

  /**
   * Payload bytes that have reached the peer: all bytes acknowledged in order (Linux 4.1), and about all
   * bytes acknowledged beyond a gap (SACK).
   */
  get deliveredBytes(): number | undefined {
    const acked = this.#u64(BYTES_ACKED);
    return acked === undefined ? undefined : acked + this.sackedBytes;
  }

  /**
   * Bytes in segments that the peer has acknowledged beyond a gap. An upper bound: each counts as a full
   * segment.
   */
  get sackedBytes(): number {
    return this.#segmentBytes(SACKED);
  }

  /** Bytes in segments that the kernel considers lost and has not retransmitted. An upper bound, as above. */
  get lostBytes(): number {
    return this.#segmentBytes(LOST) - this.#segmentBytes(RETRANS);
  }

  /** Retransmitted segments since the connection was opened. */
  get retransmits(): number | undefined {
    return this.#u32(TOTAL_RETRANS);
  }

  /**
   * Bytes written and not acknowledged, sent or not, from SIOCOUTQ (tcp(7)): the distance between two
   * sequence numbers. For a Multipath TCP connection it covers all paths, while {@link read} covers only the
   * first.
   *
   * @returns undefined on an error; `libc.errno()` then has its code.
   */
  unackedBytes(fd: number): number | undefined {
    return this.#libc.ioctl(fd, SIOCOUTQ, this.#queued) === 0
      ? this.#queuedView.getInt32(0, true)
      : undefined;
  }

  #segmentBytes(at: number): number {
    return (this.#u32(at) ?? 0) * (this.sndMss ?? 0);
  }

  #u64(at: number): number | undefined {
    if (this.#validBytes < at + 8) return undefined;
    return this.#infoView.getUint32(at, true) + this.#infoView.getUint32(at + 4, true) * 0x1_0000_0000;
  }

  #u32(at: number): number | undefined {
    return this.#validBytes < at + 4 ? undefined : this.#infoView.getUint32(at, true);
  }
}
