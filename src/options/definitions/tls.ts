/** Options for encrypting the TCP connection and verifying certificates. */

import type { OptionDefinition } from "../definition.ts";

export const TLS_OPTIONS = [
  {
    name: "tls",
    key: "tls",
    kind: "flag",
    group: "Encryption",
    help:
      "Encrypt the TCP connection with TLS 1.2 or newer. The client always verifies the server. Give it " +
      "on both ends.",
    usual: "encrypt the TCP connection",
  },
  {
    name: "cert",
    key: "cert",
    kind: "text",
    argument: "FILE",
    group: "Encryption",
    help:
      "The certificate of this end, in PEM, followed by the intermediate certificates. A server needs " +
      "one.",
  },
  {
    name: "key",
    key: "key",
    kind: "text",
    argument: "FILE",
    group: "Encryption",
    help: "The certificate's private key, in PEM, without a passphrase.",
  },
  {
    name: "ca",
    key: "ca",
    kind: "text",
    argument: "FILE",
    group: "Encryption",
    role: "client",
    help:
      "Trust servers with a certificate from one of these authorities, in PEM. Default: the system's " +
      "authorities.",
  },
  {
    name: "pin",
    key: "pin",
    kind: "pin",
    argument: "sha256:HASH",
    group: "Encryption",
    role: "client",
    help:
      "Trust only a server with this public key, whatever its name and its authority. The SHA-256 hash is " +
      "in hexadecimal or base64.",
  },
  {
    name: "sni",
    key: "sni",
    kind: "host",
    argument: "NAME",
    group: "Encryption",
    role: "client",
    help:
      "Ask the server for the certificate of this name, and verify that name. Default: the name or " +
      "address in -c.",
  },
  {
    name: "client-ca",
    key: "clientCa",
    kind: "text",
    argument: "FILE",
    group: "Encryption",
    role: "server",
    help: "Accept only clients with a certificate from one of these authorities, in PEM.",
  },
] as const satisfies readonly OptionDefinition[];
