/** Why a TLS connection did not come to be, in a code and in words. */

import { errorCode, NetError } from "../network.ts";

/** The end of the connection that we are. */
export type TlsSide = "server" | "client";

/** Every {@link TlsCode}. */
export const TLS_CODES = [
  "TLS_EXPIRED",
  "TLS_NOT_YET_VALID",
  "TLS_WRONG_NAME",
  "TLS_UNKNOWN_AUTHORITY",
  "TLS_BAD_CERTIFICATE",
  "TLS_WRONG_KEY",
  "TLS_NO_CLIENT_CERTIFICATE",
  "TLS_VERSION",
  "TLS_ALPN",
  "TLS_NOT_TLS",
  "TLS_REJECTED",
  "TLS_CLOSED",
  "TLS_TIMEOUT",
  "TLS_OVERLOADED",
  "TLS_PROTOCOL",
] as const;

/**
 * What went wrong. A {@link NetError} of a TLS connection has one of these codes.
 *
 * - `TLS_EXPIRED`, `TLS_NOT_YET_VALID`: the peer's certificate is out of its time.
 * - `TLS_WRONG_NAME`: the server's certificate is for another name than the one asked for.
 * - `TLS_UNKNOWN_AUTHORITY`: no authority that is trusted here vouches for the peer's certificate.
 * - `TLS_BAD_CERTIFICATE`: the peer's certificate is wrong in another way.
 * - `TLS_WRONG_KEY`: the server's public key is not the pinned one.
 * - `TLS_NO_CLIENT_CERTIFICATE`: the server asks for a client certificate, and there was none.
 * - `TLS_VERSION`, `TLS_ALPN`: the ends have no version of TLS, or no application protocol, in common.
 * - `TLS_NOT_TLS`: the peer speaks something else.
 * - `TLS_REJECTED`: the peer does not want us, and says no more than that.
 * - `TLS_CLOSED`: the peer closed the connection during the handshake.
 * - `TLS_TIMEOUT`: the handshake took too long.
 * - `TLS_OVERLOADED`: it was given up for a newer one, since too many handshakes were under way.
 * - `TLS_PROTOCOL`: bytes that are no proper TLS, or were changed on their way.
 */
export type TlsCode = (typeof TLS_CODES)[number];

/** Whether an error's code says that TLS failed. */
export function isTlsCode(code: string | undefined): code is TlsCode {
  return (TLS_CODES as readonly (string | undefined)[]).includes(code);
}

/**
 * Bun's codes for a certificate that was not accepted: the names of OpenSSL's X509_V_ERR constants, and its
 * own for names.
 */
const CERTIFICATE_CODES: ReadonlyMap<string, TlsCode> = new Map([
  ["CERT_HAS_EXPIRED", "TLS_EXPIRED"],
  ["CERT_NOT_YET_VALID", "TLS_NOT_YET_VALID"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "TLS_WRONG_NAME"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "TLS_UNKNOWN_AUTHORITY"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "TLS_UNKNOWN_AUTHORITY"],
  ["UNABLE_TO_GET_ISSUER_CERT", "TLS_UNKNOWN_AUTHORITY"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "TLS_UNKNOWN_AUTHORITY"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "TLS_UNKNOWN_AUTHORITY"],
]);

/** BoringSSL's reasons, by what its message contains; the first that fits. */
const PROTOCOL_REASONS: readonly (readonly [pattern: RegExp, code: TlsCode])[] = [
  [/WRONG_VERSION_NUMBER|HTTP_REQUEST|HTTPS_PROXY_REQUEST/, "TLS_NOT_TLS"],
  [/UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION/, "TLS_VERSION"],
  [/NO_APPLICATION_PROTOCOL|INVALID_ALPN/, "TLS_ALPN"],
  [/DID_NOT_RETURN_A_CERTIFICATE|CERTIFICATE_REQUIRED/, "TLS_NO_CLIENT_CERTIFICATE"],
  [/ALERT_(HANDSHAKE_FAILURE|.*CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/, "TLS_REJECTED"],
];

const REASONS: Readonly<Record<TlsCode, (side: TlsSide) => string>> = {
  TLS_EXPIRED: (side) => `the ${other(side)}'s certificate has expired`,
  TLS_NOT_YET_VALID: (side) => `the ${other(side)}'s certificate is not valid yet`,
  TLS_WRONG_NAME: () => "the server's certificate is for another name",
  TLS_UNKNOWN_AUTHORITY: (side) => `no authority trusted here vouches for the ${other(side)}'s certificate`,
  TLS_BAD_CERTIFICATE: (side) => `the ${other(side)}'s certificate is not acceptable`,
  TLS_WRONG_KEY: () => "the server's public key is not the pinned one",
  TLS_NO_CLIENT_CERTIFICATE: (side) =>
    side === "server" ? "the client has no certificate" : "the server requires a client certificate",
  TLS_VERSION: () => "the ends have no version of TLS in common; 1.2 is the oldest that is spoken",
  TLS_ALPN: () => "the ends have no application protocol in common; ours is udptunnel",
  TLS_NOT_TLS: (side) => `the ${other(side)} does not speak TLS`,
  TLS_REJECTED: (side) =>
    side === "client"
      ? "the server rejects this client: it requires a client certificate, or does not trust the one it got"
      : "the client does not accept our certificate",
  TLS_CLOSED: (side) => `the ${other(side)} hung up during the TLS handshake`,
  TLS_TIMEOUT: (side) =>
    `the ${other(side)} did not finish the TLS handshake in time${side === "client" ? ": does it speak TLS?" : ""}`,
  TLS_OVERLOADED: () => "too many TLS handshakes were under way",
  TLS_PROTOCOL: () => "the TLS connection failed",
};

function other(side: TlsSide): TlsSide {
  return side === "server" ? "client" : "server";
}

/** A failure in the words of its code. */
export function tlsFailure(code: TlsCode, side: TlsSide, detail = "", cause?: unknown): NetError {
  return new NetError(code, REASONS[code](side) + detail, cause);
}

/**
 * Whether Bun's word for an error says that a certificate was not accepted, and not that the handshake broke
 * off.
 */
export function isAboutCertificate(error: unknown): boolean {
  return !["EPROTO", "ECONNRESET", "UNKNOWN"].includes(errorCode(error));
}

/**
 * A failure as Bun tells it.
 *
 * @param error what `handshake` or `error` was called with.
 */
export function readTlsFailure(error: unknown, side: TlsSide): NetError {
  const word = errorCode(error);
  const message = error instanceof Error ? error.message : "";
  if (word === "ECONNRESET") return tlsFailure("TLS_CLOSED", side, "", error);
  if (word === "EPROTO") {
    const code = PROTOCOL_REASONS.find(([pattern]) => pattern.test(message))?.[1] ?? "TLS_PROTOCOL";
    const detail = code === "TLS_PROTOCOL" ? ` (${message.replace(/^error:.*:/, "")})` : "";
    return tlsFailure(code, side, detail, error);
  }
  const code = CERTIFICATE_CODES.get(word) ?? "TLS_BAD_CERTIFICATE";
  const detail = code === "TLS_BAD_CERTIFICATE" ? ` (${message})` : "";
  return tlsFailure(code, side, detail, error);
}
