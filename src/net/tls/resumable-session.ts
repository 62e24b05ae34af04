/**
 * The TLS session that a client may resume (RFC 8446, 2.2): that of the last full handshake, in which every
 * check succeeded. A resumed handshake computes and checks no signature. What holds in it:
 *
 *     key pin, name           checked again in each handshake
 *     authority, signatures   checked in the full handshake, at most RESUME_MS before
 *     dates                   the session is not used after the server's certificate has expired
 *     reloaded files          a reload discards the session of a client, and the tickets of a server
 *     client certificates     a server that requires them issues no tickets
 *     keying material         each connection has its own, because the key exchange is new
 */

import type { X509Certificate } from "node:crypto";

/** A burst of dials takes less than this. */
const RESUME_MS = 60_000;

export class ResumableSession {
  #kept:
    | { readonly server: string; readonly session: Buffer; readonly at: number; until: number }
    | undefined;

  /** The session to resume with this server, if there is one. @param now the time of day. */
  find(server: string, now: number): Buffer | undefined {
    const kept = this.#kept;
    return kept?.server === server && now >= kept.at && now < kept.until ? kept.session : undefined;
  }

  /**
   * Keeps the session of a full handshake.
   *
   * @param server the address and the name that were dialled.
   * @param now the time of day, which, unlike other clocks, advances while the host sleeps.
   */
  keep(server: string, session: Buffer, { validTo }: X509Certificate, now: number): void {
    const until = Math.min(now + RESUME_MS, Date.parse(validTo));
    this.#kept = { server, session, at: now, until };
  }
}
