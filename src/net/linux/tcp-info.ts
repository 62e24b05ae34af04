/** What the kernel knows about a TCP connection: TCP_INFO of tcp(7), about 0.5 us a call. */

import { IPPROTO_TCP, SIOCOUTQNSD, TCP_INFO } from "./constants.ts";
import { type Libc, memory } from "./libc.ts";

// Where the fields of struct tcp_info begin (linux/tcp.h). It only ever grew at its end.
const SND_MSS = 16;
const UNACKED = 24;
const SACKED = 28;
const LOST = 32;
const RETRANS = 36;
const RTT = 68;
const TOTAL_RETRANS = 100;
const BYTES_ACKED = 120;
const NOTSENT_BYTES = 144;
const MIN_RTT = 148;
const DELIVERY_RATE = 160;
const BYTES_SENT = 200;
const BYTES_RETRANS = 208;
const READ_BYTES = 216;

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

  /** Asks the kernel about this socket; returns undefined, or the errno name. The fields are then undefined. */
  read(fd: number): string | undefined {
    this.#lengthView.setInt32(0, READ_BYTES, true);
    const failed = this.#libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, this.#info, this.#length) !== 0;
    this.#known = failed ? 0 : this.#lengthView.getInt32(0, true);
    return failed ? this.#libc.errno() : undefined;
  }

  /** Segments sent and not acknowledged. */
  get unacked(): number | undefined {
    return this.#u32(UNACKED);
  }

  /** Bytes of payload in a full segment. */
  get sndMss(): number | undefined {
    return this.#u32(SND_MSS);
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
   * The kernel's estimate of the rate at which the peer acknowledges data, in bytes a second (Linux 4.9); 0 while
   * unknown. While the application sends less than it could, a sample only counts when it is higher than the last.
   */
  get deliveryRateBytesPerS(): number | undefined {
    return this.#u64(DELIVERY_RATE);
  }

  /**
   * Bytes of payload that have reached the peer: all it has acknowledged in order (Linux 4.1), and about as much as it
   * has beyond a gap.
   */
  get deliveredBytes(): number | undefined {
    const [acked, sacked] = [this.#u64(BYTES_ACKED), this.#segmentBytes(SACKED)];
    return acked === undefined ? undefined : acked + sacked;
  }

  /**
   * Bytes of payload that are under way: sent, not delivered, and not known to be lost (Linux 4.19). Exact while nothing
   * is lost, else within what is missing to full segments.
   */
  get inFlightBytes(): number | undefined {
    const outstanding = this.outstandingBytes;
    if (outstanding === undefined) return undefined;
    return Math.max(0, outstanding - this.#segmentBytes(LOST) + this.#segmentBytes(RETRANS));
  }

  /** Bytes of payload that were sent and have not been delivered, be they under way or lost (Linux 4.19). */
  get outstandingBytes(): number | undefined {
    const [sent, again, delivered] = [this.#u64(BYTES_SENT), this.#u64(BYTES_RETRANS), this.deliveredBytes];
    if (sent === undefined || again === undefined || delivered === undefined) return undefined;
    return sent - again - delivered;
  }

  /** Segments sent again, since the connection began. */
  get retransmits(): number | undefined {
    return this.#u32(TOTAL_RETRANS);
  }

  /**
   * Bytes written and not sent even once, by SIOCOUTQNSD (linux/sockios.h): cheaper than {@link read}.
   *
   * @returns undefined when the kernel refuses; `libc.errno()` then says why.
   */
  unsentBytes(fd: number): number | undefined {
    return this.#libc.ioctl(fd, SIOCOUTQNSD, this.#queued) === 0
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
