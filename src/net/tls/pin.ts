/** Pins: the hash of a server's public key, which a client can check in place of an authority's signature. */

import { createHash, type X509Certificate } from "node:crypto";

const SHA256_BYTES = 32;

/**
 * Parses a pin: `sha256:` and the 32 bytes of the hash in hexadecimal or base64.
 *
 * @returns the hash; undefined when the text is not a pin.
 */
export function readPin(text: string): Uint8Array | undefined {
  const encoded = /^sha256:(.+)$/i.exec(text)?.[1] ?? "";
  if (/^([0-9a-f]{2}:?){32}$/i.test(encoded)) return Buffer.from(encoded.replaceAll(":", ""), "hex");
  if (!/^[A-Za-z0-9+/]{43}=?$/.test(encoded)) return undefined;
  const hash = Buffer.from(encoded, "base64");
  return hash.length === SHA256_BYTES ? hash : undefined;
}

/** The SHA-256 hash of a certificate's SubjectPublicKeyInfo (RFC 5280, 4.1.2.7), as RFC 7469 pins it. */
export function publicKeyHash({ publicKey }: X509Certificate): Uint8Array {
  const spki = publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(spki).digest();
}

/** A hash in the form that {@link readPin} parses. */
export function formatPin(hash: Uint8Array): string {
  return `sha256:${Buffer.from(hash).toString("base64")}`;
}
