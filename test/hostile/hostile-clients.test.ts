/**
 * A quiet tunnel whose server has hostile clients. The tunnel keeps its connection, every question gets its
 * answer, every datagram is counted, and the server closes the sockets of the hostile clients. The benchmark
 * measures how much slower the tunnel gets: `bun run bench --only hostile-clients`.
 */

import { type ClientBehaviour, HostileClients } from "../../bench/e2e/hostile-clients.ts";
import { Certificates } from "../support/certificates.ts";
import { TUNNEL_HOST } from "../support/loopback.ts";
import { testNeeding } from "../support/need.ts";
import { openFiles } from "../support/process-figures.ts";
import { until } from "../support/until.ts";
import { QUESTIONS, QuietTunnel } from "./quiet-tunnel.ts";

/** The server must see this many connections of a flood before the test ends. */
const FLOOD_CONNECTIONS_MIN = 200;

const secret = "known-to-both-ends";
const perSource = true;
const FLOOD = { count: 5000, flood: true };
/** A frame longer than any UDP datagram, so that the program behind the server receives nothing. */
const GARBAGE = "ff".repeat(20_000);
/** Header, nonce and proof of a handshake (docs/protocol.md), made for another connection. */
const OLD_RESPONSE = `ffff756470740001${"5a".repeat(64)}`;
/** The start of a TLS handshake of 512 bytes (RFC 8446, section 5.1). */
const HELLO_START = `1603010200010001fc0303${"00".repeat(40)}`;

/** The options of server and client. */
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
  ["half a handshake, a byte a second", "tls", { count: 2000, bytes: HELLO_START, drip: true }],
  ["a flood of connections", "tls", FLOOD],
  ["a flood of incomplete handshakes", "tls", { ...FLOOD, bytes: HELLO_START }],
  ["a flood of handshakes", "tls", { ...FLOOD, tls: true }],
  ["a flood of handshakes", "tls, -p", { ...FLOOD, tls: true }],
];

for (const [kind, mode, behaviour] of KINDS) {
  testNeeding("openssl")(`${mode}, ${kind}: the quiet tunnel answers, and its counts are exact`, async () => {
    using certificates = new Certificates();
    const { tls, ...both } = { tls: false, ...MODES[mode] };
    await using quiet = await QuietTunnel.open(both, ...(tls ? tlsOptions(certificates) : []));
    const files = openFiles();
    {
      await using _clients = await HostileClients.start(quiet.port, behaviour);
      const before = connectionsOf(quiet);
      const enough = () => behaviour.flood !== true || connectionsOf(quiet) - before >= FLOOD_CONNECTIONS_MIN;
      for (let asked = 0; asked < QUESTIONS || !enough(); asked++) await quiet.ask();
    }
    await until("the files to be closed", () => openFiles() <= files);
    quiet.expectExact();
  });
}

/** The number of connections that its server has accepted or rejected. */
function connectionsOf({ server: { counters } }: QuietTunnel): number {
  return counters.connects + counters.rejectedConnections;
}

/** The TLS options of server and client. */
function tlsOptions(certificates: Certificates) {
  const authority = certificates.authority();
  const identity = certificates.issue(authority, { name: TUNNEL_HOST });
  return [
    { tls: true, ...identity },
    { tls: true, ca: authority.cert },
  ] as const;
}
