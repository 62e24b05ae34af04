/**
 * The certificates, keys and authorities of one tunnel. They are read from files at the start and at each
 * reload. They determine the TLS options of Bun's sockets, and what a handshake must establish.
 */

import { constants, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { getCACertificates } from "node:tls";
import { errorCode, NetError } from "../network.ts";
import { readRegularFile } from "../regular-file.ts";
import { readPin } from "./pin.ts";
import { ResumableSession } from "./resumable-session.ts";
import type { TlsSide } from "./tls-failure.ts";

/** The files of one end, and other options for TLS. An end gives only those that it uses. */
export interface TlsFiles {
  readonly role: "server" | "client";
  /** PEM: this end's certificate, followed by the intermediate ones up to its authority. */
  readonly cert?: string | undefined;
  /** PEM: the certificate's private key, not encrypted. */
  readonly key?: string | undefined;
  /** PEM: the authorities to verify servers with, in place of the system's. */
  readonly ca?: string | undefined;
  /** PEM: the authorities to verify clients with. When given, clients without a certificate are rejected. */
  readonly clientCa?: string | undefined;
  /** The only public key to accept from the server, see {@link readPin}. */
  readonly pin?: string | undefined;
  /** The name for SNI and for the check of the server's certificate, in place of the one that is dialled. */
  readonly sni?: string | undefined;
}

/**
 * In the format of RFC 7301, 3.1: names, each preceded by a byte with its length. Bun takes only this form.
 */
const ALPN = Buffer.from("\x09udptunnel", "latin1");
const TLS_1_2 = 0x0303;

/** Bun's types lack some of its options. */
type TlsOptions = Bun.TLSOptions & { minVersion: number; requestCert: boolean; rejectUnauthorized: boolean };

/** A listener with reloaded certificates, which can replace the one in use. */
export interface Renewal {
  use(): void;
  /** Closes it, because another listener rejected the new certificates. */
  discard(): void;
}

/** What a handshake must establish before the connection is used. */
export interface HandshakeTerms {
  readonly side: TlsSide;
  /** Whether the peer's certificate must have been verified. */
  readonly authorized: boolean;
  /** The hash of the only public key that is accepted; replaces the verification. */
  readonly pin?: Uint8Array | undefined;
}

export class Certificates {
  readonly #files: TlsFiles;
  /** The hash of the only public key to accept from a server. When undefined, authorities decide. */
  readonly #pin: Uint8Array | undefined;
  readonly #warn: (message: string) => void;
  readonly #listeners = new Set<() => Renewal>();
  #contents: Pick<TlsOptions, "cert" | "key" | "ca">;
  #session = new ResumableSession();

  /**
   * Reads all files.
   *
   * @param warn is called for problems that are not errors: a certificate outside its validity period, a key
   *   that other users can access.
   * @throws NetError that names the file, when a file cannot be read or used.
   */
  constructor(files: TlsFiles, warn: (message: string) => void) {
    this.#files = files;
    this.#warn = warn;
    this.#pin = files.pin === undefined ? undefined : readPin(files.pin);
    this.#contents = this.#read();
  }

  /** TLS options for a listener. */
  get forServer(): TlsOptions {
    if (this.#files.clientCa === undefined) return this.#tlsOptions({});
    // A client with a ticket would be accepted for hours after its certificate has expired.
    return this.#tlsOptions({ requestCert: true, secureOptions: constants.SSL_OP_NO_TICKET });
  }

  /** TLS options for a dial. @param name the server's name. */
  forClient(name: string): TlsOptions {
    // With a pin, only the key is checked, after the handshake. The name and the authority are not.
    const rejectUnauthorized = this.#pin === undefined;
    return {
      ...this.#tlsOptions({ requestCert: true, rejectUnauthorized }),
      serverName: this.#files.sni ?? name,
    };
  }

  /** The session that a dial may resume. Each reload starts a new one: the authorities may have changed. */
  get session(): ResumableSession {
    return this.#session;
  }

  /** What a client requires of a server. */
  get termsForClient(): HandshakeTerms {
    return { side: "client", authorized: true, pin: this.#pin };
  }

  /** What a server requires of a client. */
  get termsForServer(): HandshakeTerms {
    return { side: "server", authorized: this.#files.clientCa !== undefined };
  }

  /** Calls `renew` at each {@link reload}, after the files were read. @returns a function that ends this. */
  onReload(renew: () => Renewal): () => void {
    this.#listeners.add(renew);
    return () => this.#listeners.delete(renew);
  }

  /**
   * Reads all files again, for new connections.
   *
   * @throws NetError as the constructor. The old certificates stay in use.
   */
  reload(): void {
    const previous = this.#contents;
    this.#contents = this.#read();
    const renewed: Renewal[] = [];
    try {
      for (const renew of this.#listeners) renewed.push(renew());
    } catch (error) {
      this.#contents = previous;
      for (const renewal of renewed) renewal.discard();
      throw error;
    }
    this.#session = new ResumableSession();
    for (const renewal of renewed) renewal.use();
  }

  #tlsOptions(extra: Partial<TlsOptions>): TlsOptions {
    return {
      ...this.#contents,
      ALPNProtocols: ALPN,
      minVersion: TLS_1_2,
      requestCert: false,
      rejectUnauthorized: true, // without this, an environment variable decides
      ...extra,
    };
  }

  #read(): Pick<TlsOptions, "cert" | "key" | "ca"> {
    const { role, cert, key, clientCa } = this.#files;
    const ca = role === "server" ? clientCa : this.#files.ca;
    const what = role === "server" ? "client authorities file" : "authorities file";
    const authorities = ca === undefined ? this.#systemAuthorities() : readAuthorities(ca, what);
    return {
      ...(cert !== undefined && key !== undefined && this.#readPair(cert, key)),
      ...(authorities !== undefined && { ca: authorities }),
    };
  }

  /**
   * The system's authorities. Undefined if this end needs none, or if the system has none. In the latter case
   * Bun uses its own list.
   */
  #systemAuthorities(): string | undefined {
    if (this.#files.role === "server" || this.#files.pin !== undefined) return undefined;
    const found = getCACertificates("system");
    return found.length > 0 ? found.join("\n") : undefined;
  }

  #readPair(certFile: string, keyFile: string): { cert: string; key: string } {
    const { text: cert } = readFile(certFile, "certificate file");
    const [certificate] = parseCertificates(cert, certFile);
    const { text: key, mode } = readFile(keyFile, "private key file");
    if (!certificate?.checkPrivateKey(parseKey(key, keyFile))) {
      throw new NetError(
        "TLS_KEY_MISMATCH",
        `${keyFile}: this is not the private key of the certificate in ${certFile}`,
      );
    }
    const { validFrom, validTo } = certificate;
    if (Date.parse(validTo) < Date.now()) this.#warn(`${certFile}: the certificate expired on ${validTo}`);
    if (Date.parse(validFrom) > Date.now())
      this.#warn(`${certFile}: the certificate is not valid before ${validFrom}`);
    if (mode & 0o077) {
      this.#warn(
        `${keyFile}: other users can access this private key (mode ${mode.toString(8)}); run chmod 600 on it`,
      );
    }
    return { cert, key };
  }
}

/** A file with all public authorities has some 300 kB. */
const FILE_BYTES_MAX = 4 << 20;

/** @param what what the file is for. The message names no option: its spelling depends on the reader. */
function readFile(file: string, what: string): { readonly text: string; readonly mode: number } {
  try {
    const { bytes, mode } = readRegularFile(file, FILE_BYTES_MAX);
    return { text: new TextDecoder().decode(bytes), mode };
  } catch (error) {
    throw new NetError(errorCode(error), `${what} ${file}: ${(error as Error).message}`, error);
  }
}

function readAuthorities(file: string, what: string): string {
  const { text } = readFile(file, what);
  parseCertificates(text, file);
  return text;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Every certificate of a PEM file, at least one. */
function parseCertificates(text: string, file: string): X509Certificate[] {
  const found = text.match(CERTIFICATE) ?? [];
  if (found.length === 0)
    throw new NetError("TLS_BAD_FILE", `${file}: contains no certificate in PEM format`);
  try {
    return found.map((pem) => new X509Certificate(pem));
  } catch (error) {
    throw new NetError("TLS_BAD_FILE", `${file}: contains a certificate that cannot be parsed`, error);
  }
}

/** The error of a key that cannot be parsed has no `cause`: the parser might quote the key. */
function parseKey(text: string, file: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    const problem = text.includes("ENCRYPTED")
      ? "the private key is encrypted; store it without a passphrase"
      : "contains no private key in PEM format";
    throw new NetError("TLS_BAD_FILE", `${file}: ${problem}`);
  }
}
