/** Why a TLS connection failed: an error code, and a message without the spelling of any option. */

import { errorCode, NetError } from "../network.ts";

/** Which end of the connection this process is. */
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
 * The `code` of a {@link NetError} of a TLS connection.
 *
 * - `TLS_EXPIRED`, `TLS_NOT_YET_VALID`: the peer's certificate is outside its validity period.
 * - `TLS_WRONG_NAME`: the server's certificate is for another name than the one requested.
 * - `TLS_UNKNOWN_AUTHORITY`: the peer's certificate is not signed by an authority that is trusted here.
 * - `TLS_BAD_CERTIFICATE`: the peer's certificate is invalid for another reason.
 * - `TLS_WRONG_KEY`: the server's public key is not the pinned one.
 * - `TLS_NO_CLIENT_CERTIFICATE`: the server requires a client certificate, and got none.
 * - `TLS_VERSION`, `TLS_ALPN`: the two ends have no TLS version, or no application protocol, in common.
 * - `TLS_NOT_TLS`: the peer does not use TLS.
 * - `TLS_REJECTED`: the peer rejected this end, without a reason.
 * - `TLS_CLOSED`: the peer closed the connection during the handshake.
 * - `TLS_TIMEOUT`: the handshake took too long.
 * - `TLS_OVERLOADED`: too many handshakes were pending, so this one was aborted in favour of a newer one.
 * - `TLS_PROTOCOL`: the peer sent invalid TLS, or the bytes were changed on the way.
 */
export type TlsCode = (typeof TLS_CODES)[number];

/** Whether an error code is that of a TLS failure. */
export function isTlsCode(code: string | undefined): code is TlsCode {
  return (TLS_CODES as readonly (string | undefined)[]).includes(code);
}

/** Bun's codes for a rejected certificate: OpenSSL's X509_V_ERR constants, and its own code for names. */
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

/** Patterns of BoringSSL's error messages. The first one that matches decides. */
const PROTOCOL_ERRORS: readonly (readonly [pattern: RegExp, code: TlsCode])[] = [
  [/WRONG_VERSION_NUMBER|HTTP_REQUEST|HTTPS_PROXY_REQUEST/, "TLS_NOT_TLS"],
  [/UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION/, "TLS_VERSION"],
  [/NO_APPLICATION_PROTOCOL|INVALID_ALPN/, "TLS_ALPN"],
  [/DID_NOT_RETURN_A_CERTIFICATE|CERTIFICATE_REQUIRED/, "TLS_NO_CLIENT_CERTIFICATE"],
  [/ALERT_(HANDSHAKE_FAILURE|.*CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/, "TLS_REJECTED"],
];

const MESSAGES: Readonly<Record<TlsCode, (side: TlsSide) => string>> = {
  TLS_EXPIRED: (side) => `the ${other(side)}'s certificate has expired`,
  TLS_NOT_YET_VALID: (side) => `the ${other(side)}'s certificate is not valid yet`,
  TLS_WRONG_NAME: () => "the server's certificate is for another name",
  TLS_UNKNOWN_AUTHORITY: (side) => `the ${other(side)}'s certificate is not signed by a trusted authority`,
  TLS_BAD_CERTIFICATE: (side) => `the ${other(side)}'s certificate is invalid`,
  TLS_WRONG_KEY: () => "the server's public key is not the pinned one",
  TLS_NO_CLIENT_CERTIFICATE: (side) =>
    side === "server" ? "the client sent no certificate" : "the server requires a client certificate",
  TLS_VERSION: () => "the two ends have no TLS version in common; this end supports 1.2 and newer",
  TLS_ALPN: () => "the two ends have no application protocol in common; this end supports udptunnel",
  TLS_NOT_TLS: (side) => `the ${other(side)} does not use TLS`,
  TLS_REJECTED: (side) =>
    side === "client"
      ? "the server rejected this client: it may require a client certificate, or not trust the one it got"
      : "the client rejected this server's certificate",
  TLS_CLOSED: (side) => `the ${other(side)} closed the connection during the TLS handshake`,
  TLS_TIMEOUT: (side) =>
    side === "server"
      ? "the client did not complete the TLS handshake in time"
      : "the server did not complete the TLS handshake in time; does it use TLS?",
  TLS_OVERLOADED: () => "too many TLS handshakes were pending",
  TLS_PROTOCOL: () => "the TLS connection failed",
};

function other(side: TlsSide): TlsSide {
  return side === "server" ? "client" : "server";
}

/** The error for a code. @param detail is appended to the message. */
export function tlsFailure(code: TlsCode, side: TlsSide, detail = "", cause?: unknown): NetError {
  return new NetError(code, MESSAGES[code](side) + detail, cause);
}

/** Whether Bun rejected a certificate, so that the handshake itself did not break off. */
export function isAboutCertificate(error: unknown): boolean {
  return !["EPROTO", "ECONNRESET", "UNKNOWN"].includes(errorCode(error));
}

/**
 * The failure for an error of Bun.
 *
 * @param error the argument of the handler `handshake` or `error`.
 */
export function readTlsFailure(error: unknown, side: TlsSide): NetError {
  const bunCode = errorCode(error);
  const message = error instanceof Error ? error.message : "";
  if (bunCode === "ECONNRESET") return tlsFailure("TLS_CLOSED", side, "", error);
  if (bunCode === "EPROTO") {
    const code = PROTOCOL_ERRORS.find(([pattern]) => pattern.test(message))?.[1] ?? "TLS_PROTOCOL";
    const detail = code === "TLS_PROTOCOL" ? ` (${message.replace(/^error:.*:/, "")})` : "";
    return tlsFailure(code, side, detail, error);
  }
  const code = CERTIFICATE_CODES.get(bunCode) ?? "TLS_BAD_CERTIFICATE";
  const detail = code === "TLS_BAD_CERTIFICATE" ? ` (${message})` : "";
  return tlsFailure(code, side, detail, error);
}
