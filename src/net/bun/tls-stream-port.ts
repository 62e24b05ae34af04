/**
 * A TCP connection with TLS on a socket of Bun's. It goes to nobody before the handshake has succeeded and
 * the peer has shown that it is the right one.
 *
 *     open         the socket is there; nothing can be written yet
 *     handshake    Bun has verified the peer's certificate, or says why not; this class judges
 *     data ...     only after that
 */

import type { X509Certificate } from "node:crypto";
import type { Timer } from "../clock.ts";
import { systemClock } from "../clock.ts";
import type { Endpoint } from "../endpoint.ts";
import { errorCode, NetError } from "../network.ts";
import type { SystemSockets } from "../system-sockets.ts";
import type { HandshakeTerms } from "../tls/certificates.ts";
import { formatPin, publicKeyHash } from "../tls/pin.ts";
import { isAboutCertificate, readTlsFailure, tlsFailure } from "../tls/tls-failure.ts";
import { BunStreamPort } from "./stream-port.ts";

const HANDSHAKE_TIMEOUT_MS = 10_000;
/**
 * A server that ends a connection this soon, without a word, has not liked our certificate, or the lack of
 * one.
 */
const REJECTION_MS = 2000;

export type TlsSocket = Bun.Socket<TlsStreamPort | undefined>;

/** What a socket of Bun's that speaks TLS has beyond its types. */
interface TlsSocketExtras {
  getPeerX509Certificate(): X509Certificate | undefined;
  exportKeyingMaterial(length: number, label: string): Uint8Array;
  disableRenegotiation(): void;
}

/** One set of handlers for all sockets with TLS; each socket's `data` is its port. */
export const tlsHandlers: Bun.SocketHandler<TlsStreamPort | undefined> = {
  binaryType: "uint8array" as "buffer", // as in `handlers`
  data: (socket, chunk) => socket.data?.onChunk(chunk),
  drain: (socket) => socket.data?.receiver.onDrain(),
  handshake: (socket, ok, error) => socket.data?.onHandshake(ok, error),
  end: (socket) => socket.data?.onEnd(),
  close: (socket, error) => socket.data?.onClose(error && errorCode(error)),
  error: (socket, error) => {
    // Both what a handler throws and a session that fails come here; the second closes the socket by itself.
    if (socket.data === undefined || errorCode(error) !== "EPROTO") throw error;
    socket.data.onFailure(error);
  },
};

export class TlsStreamPort extends BunStreamPort {
  readonly #socket: TlsSocket;
  readonly #terms: HandshakeTerms;
  readonly #timer: Timer;
  /** Told how the handshake ended; undefined once it has ended. */
  #onDone: ((failure: NetError | undefined) => void) | undefined;
  #secureAt: number | undefined;
  #heard = false;
  /** Why the stream is about to close. */
  #code: string | undefined;

  /**
   * @param onDone called once: without a failure when the stream may be handed out; with one, the socket is
   *   closed already.
   * @param remote as for every port.
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

  /**
   * Whether the TCP connection is up. To be asked once, when it is late: Bun 1.4.5 keeps to its first answer.
   */
  get answered(): boolean {
    return this.#socket.remoteAddress !== undefined;
  }

  /** Gives the handshake up. */
  fail(failure: NetError): void {
    const onDone = this.#onDone;
    if (onDone === undefined) return;
    this.#settle();
    this.#socket.terminate();
    onDone(failure);
  }

  override exportKeyingMaterial(label: string, length: number): Uint8Array | undefined {
    return new Uint8Array(tlsOf(this.#socket).exportKeyingMaterial(length, label));
  }

  onHandshake(ok: boolean, error: Error | null): void {
    const onDone = this.#onDone;
    if (onDone === undefined) return;
    const failure = this.#judge(ok, error);
    if (failure !== undefined) return this.fail(failure);
    this.#settle();
    this.#secureAt = systemClock.now();
    tlsOf(this.#socket).disableRenegotiation();
    onDone(undefined);
  }

  onChunk(chunk: Uint8Array): void {
    if (this.#secureAt === undefined) return;
    this.#heard = true;
    this.receiver.onChunk(chunk);
  }

  onEnd(): void {
    if (!this.#rejected) return this.receiver.onEnd();
    this.#code ??= "TLS_REJECTED";
    this.#socket.terminate();
  }

  onClose(code: string | undefined): void {
    if (this.#onDone !== undefined) return this.fail(this.#lost(code));
    this.receiver.onClose(this.#code ?? (this.#rejected ? "TLS_REJECTED" : code));
  }

  /** The session has failed: a record that cannot be decrypted, or the peer's alert. `onClose` follows. */
  onFailure(error: Error): void {
    this.#code = readTlsFailure(error, this.#terms.side).code;
  }

  #settle(): void {
    this.#onDone = undefined;
    this.#timer.cancel();
  }

  #judge(ok: boolean, error: Error | null): NetError | undefined {
    const { side, authorized, pin } = this.#terms;
    if (pin !== undefined)
      return ok || isAboutCertificate(error) ? this.#judgeKey(pin) : readTlsFailure(error, side);
    if (ok && (this.#socket.authorized || !authorized)) return undefined;
    return readTlsFailure(error, side);
  }

  /**
   * The handshake is over only when keys can be exported: before that the peer has not proved that it has the
   * private key.
   */
  #judgeKey(pin: Uint8Array): NetError | undefined {
    let hash: Uint8Array;
    try {
      tlsOf(this.#socket).exportKeyingMaterial(1, "EXPORTER-udptunnel");
      hash = publicKeyHash(tlsOf(this.#socket).getPeerX509Certificate() as X509Certificate);
    } catch (error) {
      return tlsFailure("TLS_PROTOCOL", this.#terms.side, "", error);
    }
    if (Buffer.compare(hash, pin) === 0) return undefined;
    return tlsFailure("TLS_WRONG_KEY", this.#terms.side, `; it has ${formatPin(hash)}`);
  }

  /** The connection itself was lost, or never came to be: a server has seen it come. */
  #lost(code: string | undefined): NetError {
    const { side } = this.#terms;
    if (side === "server" || code === undefined || code === "ECONNRESET")
      return tlsFailure("TLS_CLOSED", side);
    return new NetError(code, code);
  }

  /** With TLS 1.3 a client is through with its handshake before the server has seen its certificate. */
  get #rejected(): boolean {
    const { side } = this.#terms;
    return (
      side === "client" &&
      !this.#heard &&
      this.#secureAt !== undefined &&
      systemClock.now() - this.#secureAt < REJECTION_MS
    );
  }
}

function tlsOf(socket: TlsSocket): TlsSocketExtras {
  return socket as unknown as TlsSocketExtras;
}
