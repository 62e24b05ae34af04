/**
 * {@link SystemSockets} for Linux: applies the features of this folder to Bun's sockets, as a tunnel's
 * options require.
 */

import { readFileSync } from "node:fs";
import { systemClock } from "../clock.ts";
import type { DatagramReceiver } from "../datagram-port.ts";
import { type Endpoint, type Family, familyOf, formatEndpoint, unmapped, withoutZone } from "../endpoint.ts";
import { NetError, type SystemReport } from "../network.ts";
import type { StreamGauge } from "../stream-port.ts";
import type { DirectReceive, SocketOptions, SystemSockets } from "../system-sockets.ts";
import type { SystemTransmitter } from "../udp/datagram-batch.ts";
import { F_DUPFD_CLOEXEC } from "./constants.ts";
import { DescriptorReserve, spareDescriptor } from "./descriptor-reserve.ts";
import { beginDial } from "./dial.ts";
import { LinuxDirectReceive } from "./direct-receive.ts";
import { type Libc, type Memory, openLibc } from "./libc.ts";
import { LinuxStreamGauge } from "./linux-stream-gauge.ts";
import { OffloadScratch } from "./offload-scratch.ts";
import { OffloadTransmitter, probeOffload, RefusingTransmitter } from "./segment-offload.ts";
import { encodeSockaddr, interfaceIndex } from "./sockaddr.ts";
import {
  type Keepalive,
  setKeepalive,
  setMark,
  setMulticastHops,
  setReceiveBuffer,
  setReceiveDetails,
  setReceiveErrors,
  setSendBuffer,
  setTrafficClass,
  setUserTimeout,
} from "./socket-options.ts";

/**
 * The kernel's timeout as a share of `deadAfterMs`. The rest is time to process the kernel's notification.
 */
const KERNEL_SHARE = 0.8;

export class LinuxSockets implements SystemSockets {
  readonly #libc: Libc;
  readonly #options: SocketOptions;
  readonly #userTimeoutMs: number;
  readonly #scratch: OffloadScratch;
  readonly #gauge: LinuxStreamGauge;
  readonly #reserve = new DescriptorReserve(this.descriptorLimit() ?? Infinity);
  onReportChanged: () => void = () => {};
  #receiveBufferBytes = Infinity;

  private constructor(libc: Libc, options: SocketOptions) {
    this.#libc = libc;
    this.#options = options;
    this.#userTimeoutMs = Math.round(options.deadAfterMs * KERNEL_SHARE);
    this.#scratch = new OffloadScratch(libc);
    this.#gauge = new LinuxStreamGauge(libc);
    this.#scratch.offReason = options.offload === "off" ? "switched off" : probeOffload(libc);
    this.#scratch.onOff = () => this.onReportChanged();
  }

  /** The features for one tunnel; undefined on other systems than Linux. */
  static open(options: SocketOptions): LinuxSockets | undefined {
    const libc = openLibc();
    return libc && new LinuxSockets(libc, options);
  }

  get report(): SystemReport {
    const { offReason } = this.#scratch;
    const granted = this.#receiveBufferBytes;
    return {
      segmentOffload: offReason === undefined,
      offloadOffReason: offReason,
      receiveBufferBytes: granted === Infinity ? undefined : granted,
      socketBufferBytes: this.#options.socketBufferBytes,
    };
  }

  prepareDatagramSocket(fd: number, oneTarget: boolean, local: boolean): void {
    const { socketBufferBytes } = this.#options;
    if (!this.#reserve.mayOpen(fd))
      throw new NetError(
        "EMFILE",
        "cannot open a UDP socket: EMFILE (too few descriptors are left, see ulimit -n)",
      );
    this.#setMark(fd);
    if (!oneTarget) setReceiveErrors(this.#libc, fd, false);
    setReceiveDetails(this.#libc, fd, local);
    const granted = setReceiveBuffer(this.#libc, fd, socketBufferBytes);
    if (granted !== undefined && granted < this.#receiveBufferBytes) {
      this.#receiveBufferBytes = granted;
      this.onReportChanged();
    }
    setSendBuffer(this.#libc, fd, socketBufferBytes);
    this.#setTrafficClass(fd);
  }

  connectDatagramSocket(fd: number, to: Endpoint, family: Family): void {
    const target = encodeSockaddr(this.#libc, to, family);
    const connected = typeof target !== "string" && this.#libc.connect(fd, target, target.length) === 0;
    if (connected) return;
    const code = typeof target === "string" ? target : this.#libc.errno();
    throw new NetError(code, `cannot reach UDP ${formatEndpoint(to)}: ${code}`);
  }

  setMulticastTtl(fd: number, ttl: number): string | undefined {
    return setMulticastHops(this.#libc, fd, ttl);
  }

  directReceive(fd: number, receiver: DatagramReceiver, always: boolean): DirectReceive {
    const merge = this.#scratch.offReason === undefined;
    const mayOpen = (fd: number) => this.#reserve.mayOpen(fd);
    return new LinuxDirectReceive(this.#libc, fd, receiver, { clock: systemClock, merge, always, mayOpen });
  }

  transmitter(socket: { readonly fd: number }, target: Endpoint, family: Family): SystemTransmitter {
    const to = this.#encodeTarget(target, family);
    if (typeof to === "string") return new RefusingTransmitter(to);
    const reencode = target.address.includes("%") ? () => this.#reencode(to, target, family) : undefined;
    return new OffloadTransmitter(this.#libc, this.#scratch, { socket, to, reencode }, systemClock.now);
  }

  /**
   * Encodes a target. A zone whose interface does not exist becomes an index that does not exist, so that the
   * kernel rejects each send. Bun would ignore the zone and send through another interface.
   */
  #encodeTarget(target: Endpoint, family: Family): Memory | string {
    const encoded = encodeSockaddr(this.#libc, target, family);
    if (encoded !== "ENODEV") return encoded;
    const missing = { ...target, address: `${withoutZone(target.address)}%999999999` };
    return encodeSockaddr(this.#libc, missing, family);
  }

  /** Encodes a target again: its zone may name another interface now. @returns whether it does. */
  #reencode(to: Memory, target: Endpoint, family: Family): boolean {
    const encoded = encodeSockaddr(this.#libc, target, family);
    if (typeof encoded === "string" || Buffer.compare(encoded, to) === 0) return false;
    to.set(encoded);
    return true;
  }

  prepareListener(fd: number): void {
    // Accepted connections inherit both, from the SYN-ACK on.
    this.#setMark(fd);
    this.#setTrafficClass(fd);
  }

  duplicate(fd: number): number | undefined {
    const copy = this.#libc.fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? undefined : copy;
  }

  watchDescriptors(): () => void {
    return spareDescriptor(this.#libc).addListener();
  }

  mayAccept(fd: number): boolean {
    return this.#reserve.mayAccept(fd) && !spareDescriptor(this.#libc).tableFull;
  }

  prepareStream(fd: number): void {
    setUserTimeout(this.#libc, fd, this.#userTimeoutMs);
    setKeepalive(this.#libc, fd, keepaliveWithin(this.#userTimeoutMs));
    this.#setTrafficClass(fd);
  }

  probeOften(fd: number, often: boolean): void {
    const usual = keepaliveWithin(this.#userTimeoutMs);
    setKeepalive(this.#libc, fd, often ? { ...usual, idleS: 1, intervalS: 1 } : usual);
  }

  beginDial(to: Endpoint): { fd: number } | { error: string } {
    const { tcpBind, mark, tos } = this.#options;
    const family = familyOf(unmapped(to.address));
    const from = tcpBind?.find((address) => familyOf(unmapped(address)) === family) ?? tcpBind?.[0];
    return beginDial(this.#libc, {
      to,
      userTimeoutMs: this.#userTimeoutMs,
      mayOpen: (fd) => this.#reserve.mayOpen(fd),
      from,
      mark,
      tos,
    });
  }

  interfaceIndex(name: string): number | undefined {
    return interfaceIndex(this.#libc, name);
  }

  descriptorLimit(): number | undefined {
    // proc(5), /proc/pid/limits: name, soft limit, hard limit, unit.
    const soft = /^Max open files +(\d+)/m.exec(readLimits())?.[1];
    return soft === undefined ? undefined : Number(soft);
  }

  gauge(fd: number): StreamGauge | undefined {
    return this.#gauge.read(fd) ? this.#gauge : undefined;
  }

  #setMark(fd: number): void {
    const { mark } = this.#options;
    if (mark === undefined) return;
    const refusal = setMark(this.#libc, fd, mark);
    if (refusal === undefined) return;
    throw new NetError(
      refusal,
      `cannot set the mark ${mark} on a socket: ${refusal} (it needs CAP_NET_ADMIN)`,
    );
  }

  #setTrafficClass(fd: number): void {
    const { tos } = this.#options;
    if (tos !== undefined) setTrafficClass(this.#libc, fd, tos);
  }
}

/**
 * The first probe is sent after a third of the time. The last one has timed out when the time has elapsed.
 */
function keepaliveWithin(timeoutMs: number): Keepalive {
  const timeoutS = Math.max(3, Math.floor(timeoutMs / 1000));
  const idleS = Math.max(1, Math.floor(timeoutS / 3));
  const intervalS = Math.max(1, Math.floor(timeoutS / 6));
  return { idleS, intervalS, count: Math.max(1, Math.floor((timeoutS - idleS) / intervalS)) };
}

/** Empty where /proc is not mounted. */
function readLimits(): string {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    return "";
  }
}
