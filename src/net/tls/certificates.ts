/**
 * The certificates, keys and authorities of one tunnel, read from files at the start and again whenever
 * asked, and what Bun is told of them for each connection.
 */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { getCACertificates } from "node:tls";
import { errorCode, NetError } from "../network.ts";
import { readRegularFile } from "../regular-file.ts";
import { readPin } from "./pin.ts";
import type { TlsSide } from "./tls-failure.ts";

/** Which end this is, and its files. What an end does not use is not given. */
export interface TlsFiles {
  readonly role: "server" | "client";
  /** PEM: our certificate, then those between it and its authority. */
  readonly cert?: string | undefined;
  /** PEM: its private key, not encrypted. */
  readonly key?: string | undefined;
  /** PEM: the authorities of servers, in place of the system's. */
  readonly ca?: string | undefined;
  /** PEM: the authorities of clients; with it only clients with a certificate are served. */
  readonly clientCa?: string | undefined;
  /** See `readPin`. */
  readonly pin?: string | undefined;
  /** The name to ask the server for and to find in its certificate, in place of the one it is dialled by. */
  readonly sni?: string | undefined;
}

/** RFC 7301, 3.1: a list of names, each after a byte with its length. Bun takes no other form. */
const ALPN = Buffer.from("\x09udptunnel", "latin1");
const TLS_1_2 = 0x0303;

/** Bun's types know only part of what it takes. */
type TlsOptions = Bun.TLSOptions & { minVersion: number; requestCert: boolean; rejectUnauthorized: boolean };

/** Something made with new certificates, beside the one in use. */
export interface Renewal {
  /** Replaces the one in use. */
  use(): void;
  /** Releases it, because another one could not be made with the new certificates. */
  discard(): void;
}

/** What a TLS handshake must establish for the connection to be used. */
export interface HandshakeTerms {
  readonly side: TlsSide;
  /** Whether the peer must have had its certificate verified. */
  readonly authorized: boolean;
  /** The hash of the only public key that is accepted, instead of that. */
  readonly pin?: Uint8Array | undefined;
}

export class Certificates {
  readonly #files: TlsFiles;
  /** The hash of the only public key that a server may have; undefined when authorities vouch for it. */
  readonly #pin: Uint8Array | undefined;
  readonly #warn: (message: string) => void;
  readonly #renewals = new Set<() => Renewal>();
  #contents: Pick<TlsOptions, "cert" | "key" | "ca">;

  /**
   * Reads all files.
   *
   * @param warn told what is doubtful and no error: a certificate out of its time, a key that others may
   *   read.
   * @throws NetError that names the file, when one cannot be read or used.
   */
  constructor(files: TlsFiles, warn: (message: string) => void) {
    this.#files = files;
    this.#warn = warn;
    this.#pin = files.pin === undefined ? undefined : readPin(files.pin);
    this.#contents = this.#read();
  }

  /** What a listener is made with. */
  get forServer(): TlsOptions {
    return this.#tlsOptions({ requestCert: this.#files.clientCa !== undefined });
  }

  /** What a dial is made with. @param name as which the server is known. */
  forClient(name: string): TlsOptions {
    // With a pin the key decides, after the handshake, and neither name nor authority.
    const rejectUnauthorized = this.#pin === undefined;
    return {
      ...this.#tlsOptions({ requestCert: true, rejectUnauthorized }),
      serverName: this.#files.sni ?? name,
    };
  }

  /** What a server must show. */
  get termsForClient(): HandshakeTerms {
    return { side: "client", authorized: true, pin: this.#pin };
  }

  /** What a client must show. */
  get termsForServer(): HandshakeTerms {
    return { side: "server", authorized: this.#files.clientCa !== undefined };
  }

  /** Calls `renew` at each {@link reload}, with the new files in place. @returns a function that ends it. */
  onReload(renew: () => Renewal): () => void {
    this.#renewals.add(renew);
    return () => this.#renewals.delete(renew);
  }

  /**
   * Reads all files again, for connections from now on. @throws NetError as the constructor; the old ones
   * then stay in use.
   */
  reload(): void {
    const former = this.#contents;
    this.#contents = this.#read();
    const renewed: Renewal[] = [];
    try {
      for (const renew of this.#renewals) renewed.push(renew());
    } catch (error) {
      this.#contents = former;
      for (const renewal of renewed) renewal.discard();
      throw error;
    }
    for (const renewal of renewed) renewal.use();
  }

  #tlsOptions(asked: Partial<TlsOptions>): TlsOptions {
    return {
      ...this.#contents,
      ALPNProtocols: ALPN,
      minVersion: TLS_1_2,
      requestCert: false,
      rejectUnauthorized: true, // said aloud: left out, an environment variable decides
      ...asked,
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

  /** The system's authorities; undefined, which means those Bun brings along, when the system has none. */
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
        `${keyFile}: is not the private key of the certificate in ${certFile}`,
      );
    }
    const { validFrom, validTo } = certificate;
    if (Date.parse(validTo) < Date.now()) this.#warn(`${certFile}: the certificate expired on ${validTo}`);
    if (Date.parse(validFrom) > Date.now())
      this.#warn(`${certFile}: the certificate is not valid before ${validFrom}`);
    if (mode & 0o077) {
      this.#warn(
        `${keyFile}: others than its owner may use the private key (mode ${mode.toString(8)}); chmod 600 ends that`,
      );
    }
    return { cert, key };
  }
}

/** A bundle of all public authorities has some 300 kB. */
const FILE_BYTES_MAX = 4 << 20;

/**
 * @param what names the file's purpose: its option is spelled differently on the command line and in the
 *   library.
 */
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
  if (found.length === 0) throw new NetError("TLS_BAD_FILE", `${file}: holds no certificate in PEM`);
  try {
    return found.map((pem) => new X509Certificate(pem));
  } catch (error) {
    throw new NetError("TLS_BAD_FILE", `${file}: holds a certificate that cannot be read`, error);
  }
}

/** Of a key that cannot be read nothing is told, not even how the reader failed. */
function parseKey(text: string, file: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    const why = text.includes("ENCRYPTED")
      ? "is encrypted; store it without a passphrase"
      : "holds no private key in PEM";
    throw new NetError("TLS_BAD_FILE", `${file}: ${why}`);
  }
}
