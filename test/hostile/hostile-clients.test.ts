/**
 * A quiet tunnel beside connections of strangers at its server. The tunnel keeps its connection, every question has its
 * answer, every datagram is counted, and the server closes the strangers' sockets. The benchmark measures how much slower
 * the tunnel gets: `bun run bench --only hostile-clients`.
 */

import { type ClientBehaviour, HostileClients } from "../../bench/e2e/hostile-clients.ts";
import { Certificates } from "../support/certificates.ts";
import { TUNNEL_HOST } from "../support/loopback.ts";
import { testNeeding } from "../support/need.ts";
import { until } from "../support/until.ts";
import { openFiles } from "./process-figures.ts";
import { QUESTIONS, QuietTunnel } from "./quiet-tunnel.ts";

/** Connections of a flood that the server has met before the test is over: less would prove nothing. */
const FLOOD_MET_MIN = 200;

const secret = "known-to-both-ends";
const perSource = true;
const FLOOD = { count: 5000, flood: true };
/** A frame longer than any datagram, so that the program behind the server is not what is measured. */
const GARBAGE = "ff".repeat(20_000);
/** A handshake's header, nonce and proof (docs/protocol.md), made for another connection. */
const OLD_RESPONSE = `ffff756470740001${"5a".repeat(64)}`;
/** A record that opens a TLS handshake of 512 bytes (RFC 8446, section 5.1), cut off. */
const HELLO_BEGUN = `1603010200010001fc0303${"00".repeat(40)}`;

/** How the server is reached. */
const MODES = {
  "peer mode": {},
  "-p": { perSource },
  secret: { secret },
  "secret, -p": { secret, perSource },
  tls: { tls: true },
  "tls, -p": { tls: true, perSource },
} as const;

const KINDS: readonly (readonly [kind: string, mode: keyof typeof MODES, behaviour: ClientBehaviour])[] = [
  ["2,000 connections", "peer mode", { count: 2000 }],
  ["a flood of connections", "peer mode", FLOOD],
  ["2,000 idle connections", "-p", { count: 2000 }],
  ["half a frame, a byte a second", "-p", { count: 2000, bytes: GARBAGE, drip: true }],
  ["a flood of connections", "-p", FLOOD],
  ["a flood of garbage", "-p", { ...FLOOD, bytes: GARBAGE }],
  ["2,000 idle connections", "secret", { count: 2000 }],
  ["half a proof, a byte a second", "secret", { count: 2000, bytes: OLD_RESPONSE, drip: true }],
  ["a flood of connections", "secret", FLOOD],
  ["a flood of garbage before the proof", "secret", { ...FLOOD, bytes: GARBAGE }],
  ["a flood of old proofs", "secret", { ...FLOOD, bytes: OLD_RESPONSE, waits: true }],
  ["a flood of connections", "secret, -p", FLOOD],
  ["garbage after the proof", "secret, -p", { count: 60, bytes: GARBAGE, secret }],
  ["2,000 idle handshakes", "tls", { count: 2000 }],
  ["half a handshake, a byte a second", "tls", { count: 2000, bytes: HELLO_BEGUN, drip: true }],
  ["a flood of connections", "tls", FLOOD],
  ["a flood of handshakes cut off", "tls", { ...FLOOD, bytes: HELLO_BEGUN }],
  ["a flood of handshakes", "tls", { ...FLOOD, tls: true }],
  ["a flood of handshakes", "tls, -p", { ...FLOOD, tls: true }],
];

for (const [kind, mode, behaviour] of KINDS) {
  testNeeding("openssl")(`${mode}, ${kind}: the quiet tunnel answers, and its counts are exact`, async () => {
    using certificates = new Certificates();
    const { tls, ...both } = { tls: false, ...MODES[mode] };
    await using quiet = await QuietTunnel.open(both, ...(tls ? secured(certificates) : []));
    const files = openFiles();
    {
      await using _clients = await HostileClients.start(quiet.port, behaviour);
      const before = met(quiet);
      const enough = () => behaviour.flood !== true || met(quiet) - before >= FLOOD_MET_MIN;
      for (let asked = 0; asked < QUESTIONS || !enough(); asked++) await quiet.ask();
    }
    await until("the files to be closed", () => openFiles() <= files);
    quiet.expectExact();
  });
}

/** How many connections its server has met. */
function met({ server: { counters } }: QuietTunnel): number {
  return counters.connects + counters.rejectedConnections;
}

/** What server and client are given for TLS. */
function secured(certificates: Certificates) {
  const authority = certificates.authority();
  const identity = certificates.issue(authority, { name: TUNNEL_HOST });
  return [
    { tls: true, ...identity },
    { tls: true, ca: authority.cert },
  ] as const;
}
