/** What the kernel knows about a TCP connection: TCP_INFO of tcp(7), about 0.5 us a call. */

import { IPPROTO_TCP, SIOCOUTQ, TCP_INFO } from "./constants.ts";
import { type Libc, memory } from "./libc.ts";

// Where the fields of struct tcp_info begin (linux/tcp.h). It only ever grew at its end.
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
 * Reads one connection at a time: {@link read}, then the fields. A field is undefined where the kernel is too old to
 * have it.
 */
export class TcpInfo {
  readonly #libc: Libc;
  readonly #info = memory(READ_BYTES);
  readonly #infoView = new DataView(this.#info.buffer);
  readonly #length = memory(4);
  readonly #lengthView = new DataView(this.#length.buffer);
  readonly #queued = memory(4);
  readonly #queuedView = new DataView(this.#queued.buffer);
  #known = 0;

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** Asks the kernel about this socket. @returns whether it answered; if not, the fields are undefined. */
  read(fd: number): boolean {
    this.#lengthView.setInt32(0, READ_BYTES, true);
    const answered = this.#libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, this.#info, this.#length) === 0;
    this.#known = answered ? this.#lengthView.getInt32(0, true) : 0;
    return answered;
  }

  /** Bytes of payload in a full segment. */
  get sndMss(): number | undefined {
    return this.#u32(SND_MSS);
  }

  /** Milliseconds since the peer last acknowledged anything. */
  get lastAckRecvMs(): number | undefined {
    return this.#u32(LAST_ACK_RECV);
  }

  /** The smoothed round trip time in microseconds. */
  get rttUs(): number | undefined {
    return this.#u32(RTT);
  }

  /** The least round trip time of the last minutes in microseconds (Linux 4.6); 4,294,967,295 before the first. */
  get minRttUs(): number | undefined {
    return this.#u32(MIN_RTT);
  }

  /** Bytes written and not sent even once (Linux 4.6). */
  get notsentBytes(): number | undefined {
    return this.#u32(NOTSENT_BYTES);
  }

  /**
   * Bytes of payload that have reached the peer: all it has acknowledged in order (Linux 4.1), and about as much as it
   * has beyond a gap.
   */
  get deliveredBytes(): number | undefined {
    const acked = this.#u64(BYTES_ACKED);
    return acked === undefined ? undefined : acked + this.sackedBytes;
  }

  /** Bytes in segments that the peer has acknowledged beyond a gap: an upper bound, each counts as a full segment. */
  get sackedBytes(): number {
    return this.#segmentBytes(SACKED);
  }

  /** Bytes in segments that the kernel considers lost and has not sent again: an upper bound, as above. */
  get lostBytes(): number {
    return this.#segmentBytes(LOST) - this.#segmentBytes(RETRANS);
  }

  /** Segments sent again, since the connection began. */
  get retransmits(): number | undefined {
    return this.#u32(TOTAL_RETRANS);
  }

  /**
   * Bytes written and not acknowledged, sent or not, by SIOCOUTQ (tcp(7)): the distance between two sequence numbers.
   * For a Multipath TCP connection it counts all paths, while {@link read} describes only the first.
   *
   * @returns undefined when the kernel refuses; `libc.errno()` then says why.
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
    if (this.#known < at + 8) return undefined;
    return this.#infoView.getUint32(at, true) + this.#infoView.getUint32(at + 4, true) * 0x1_0000_0000;
  }

  #u32(at: number): number | undefined {
    return this.#known < at + 4 ? undefined : this.#infoView.getUint32(at, true);
  }
}
