/**
 * A {@link StreamPort} with TLS, on a TCP socket of Bun. It is handed out only when the handshake has
 * succeeded and the peer has proved its identity. Bun calls, in this order:
 *
 *     open         TCP is connected; nothing can be written yet
 *     handshake    Bun has checked the peer's certificate and reports the result; this class decides
 *     data ...     application data, accepted only after that
 */

import type { X509Certificate } from "node:crypto";
import { systemClock, type Timer } from "../clock.ts";
import type { Endpoint } from "../endpoint.ts";
import { errorCode, NetError } from "../network.ts";
import type { SystemSockets } from "../system-sockets.ts";
import type { HandshakeTerms } from "../tls/certificates.ts";
import { formatPin, publicKeyHash } from "../tls/pin.ts";
import { isAboutCertificate, readTlsFailure, tlsFailure } from "../tls/tls-failure.ts";
import { BunStreamPort } from "./stream-port.ts";

const HANDSHAKE_TIMEOUT_MS = 10_000;
/**
 * A server that closes the connection this soon, without having sent data or an alert, has probably rejected
 * the client's certificate or the lack of one.
 */
const REJECTION_MS = 2000;

export type TlsSocket = Bun.Socket<TlsStreamPort | undefined>;

/** Methods of Bun's TLS sockets that its types lack. */
interface TlsSocketExtras {
  setSession(session: Buffer): void;
  isSessionReused(): boolean;
  getTLSVersion(): string;
  getPeerX509Certificate(): X509Certificate | undefined;
  exportKeyingMaterial(length: number, label: string): Uint8Array;
  disableRenegotiation(): void;
}

/** The handlers of all sockets with TLS. The `data` of each socket is its port. */
export const tlsHandlers: Bun.SocketHandler<TlsStreamPort | undefined> = {
  binaryType: "uint8array" as "buffer", // see `tcpHandlers`
  data: (socket, chunk) => socket.data?.onChunk(chunk),
  drain: (socket) => socket.data?.receiver.onDrain(),
  handshake: (socket, ok, error) => socket.data?.onHandshake(ok, error),
  end: (socket) => socket.data?.onEnd(),
  close: (socket, error) => socket.data?.onClose(error && errorCode(error)),
  error: (socket, error) => {
    // Bun reports both an exception of a handler and a failed TLS session here. The latter closes the socket.
    if (socket.data === undefined || errorCode(error) !== "EPROTO") throw error;
    socket.data.onFailure(error);
  },
};

export class TlsStreamPort extends BunStreamPort {
  readonly #socket: TlsSocket;
  readonly #terms: HandshakeTerms;
  readonly #timer: Timer;
  /** Undefined when the handshake has ended. */
  #onDone: ((failure: NetError | undefined) => void) | undefined;
  #establishedAt: number | undefined;
  #receivedData = false;
  /** The code that the receiver gets when the stream closes, in place of that of Bun. */
  #closeCode: string | undefined;

  /**
   * @param onDone called once: without a failure when the stream may be used, else after it was closed.
   * @param remote the peer, see {@link BunStreamPort}.
   */
  constructor(
    socket: TlsSocket,
    system: SystemSockets | undefined,
    terms: HandshakeTerms,
    onDone: (failure: NetError | undefined) => void,
    remote?: Endpoint,
  ) {
    super(socket as Bun.Socket<BunStreamPort | undefined>, system, remote);
    this.#socket = socket;
    this.#terms = terms;
    this.#onDone = onDone;
    this.#timer = systemClock.after(HANDSHAKE_TIMEOUT_MS, () =>
      this.fail(tlsFailure("TLS_TIMEOUT", terms.side)),
    );
  }

  /** Whether TCP is connected. Read it once, as late as possible: Bun 1.4.5 caches the first result. */
  get tcpConnected(): boolean {
    return this.#socket.remoteAddress !== undefined;
  }

  /** Aborts the handshake. */
  fail(failure: NetError): void {
    const onDone = this.#onDone;
    if (onDone === undefined) return;
    this.#endHandshake();
    this.#socket.terminate();
    onDone(failure);
  }

  /** Resumes a session, if the server accepts it. Else the handshake is a full one. Call this in `open`. */
  resumeSession(session: Buffer): void {
    extrasOf(this.#socket).setSession(session);
  }

  /**
   * The peer's certificate if a later connection may resume this session, else undefined. The peer was
   * checked in a full handshake. TLS 1.2 would export keying material that depends on the first connection
   * (RFC 7627).
   */
  get resumableWith(): X509Certificate | undefined {
    const extras = extrasOf(this.#socket);
    if (this.#establishedAt === undefined || extras.isSessionReused()) return undefined;
    return extras.getTLSVersion() === "TLSv1.3" ? extras.getPeerX509Certificate() : undefined;
  }

  override exportKeyingMaterial(label: string, length: number): Uint8Array | undefined {
    return new Uint8Array(extrasOf(this.#socket).exportKeyingMaterial(length, label));
  }

  onHandshake(ok: boolean, error: Error | null): void {
    const onDone = this.#onDone;
    if (onDone === undefined) return;
    const failure = this.#check(ok, error);
    if (failure !== undefined) return this.fail(failure);
    this.#endHandshake();
    this.#establishedAt = systemClock.now();
    extrasOf(this.#socket).disableRenegotiation();
    onDone(undefined);
  }

  onChunk(chunk: Uint8Array): void {
    if (this.#establishedAt === undefined) return;
    this.#receivedData = true;
    this.receiver.onChunk(chunk);
  }

  onEnd(): void {
    if (!this.#rejected) return this.receiver.onEnd();
    this.#closeCode ??= "TLS_REJECTED";
    this.#socket.terminate();
  }

  onClose(code: string | undefined): void {
    if (this.#onDone !== undefined) return this.fail(this.#closedEarly(code));
    this.receiver.onClose(this.#closeCode ?? (this.#rejected ? "TLS_REJECTED" : code));
  }

  /** The session failed: a record could not be decrypted, or the peer sent an alert. `onClose` follows. */
  onFailure(error: Error): void {
    this.#closeCode = readTlsFailure(error, this.#terms.side).code;
  }

  #endHandshake(): void {
    this.#onDone = undefined;
    this.#timer.cancel();
  }

  #check(ok: boolean, error: Error | null): NetError | undefined {
    const { side, authorized, pin } = this.#terms;
    if (pin !== undefined)
      return ok || isAboutCertificate(error) ? this.#checkKey(pin) : readTlsFailure(error, side);
    if (ok && (this.#socket.authorized || !authorized)) return undefined;
    return readTlsFailure(error, side);
  }

  /** Keys can be exported only after the handshake, in which the peer proves that it has the private key. */
  #checkKey(pin: Uint8Array): NetError | undefined {
    let hash: Uint8Array;
    try {
      extrasOf(this.#socket).exportKeyingMaterial(1, "EXPORTER-udptunnel");
      hash = publicKeyHash(extrasOf(this.#socket).getPeerX509Certificate() as X509Certificate);
    } catch (error) {
      return tlsFailure("TLS_PROTOCOL", this.#terms.side, "", error);
    }
    if (Buffer.compare(hash, pin) === 0) return undefined;
    return tlsFailure("TLS_WRONG_KEY", this.#terms.side, `; it has ${formatPin(hash)}`);
  }

  /** The failure of a connection that was closed during the handshake, or, at a client, never established. */
  #closedEarly(code: string | undefined): NetError {
    const { side } = this.#terms;
    if (side === "server" || code === undefined || code === "ECONNRESET")
      return tlsFailure("TLS_CLOSED", side);
    return new NetError(code, code);
  }

  /**
   * Whether the server has rejected the client. With TLS 1.3 the client's handshake ends before the server
   * has checked its certificate.
   */
  get #rejected(): boolean {
    const { side } = this.#terms;
    return (
      side === "client" &&
      !this.#receivedData &&
      this.#establishedAt !== undefined &&
      systemClock.now() - this.#establishedAt < REJECTION_MS
    );
  }
}

function extrasOf(socket: TlsSocket): TlsSocketExtras {
  return socket as unknown as TlsSocketExtras;
}
