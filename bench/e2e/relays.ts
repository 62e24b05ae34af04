/** The measured relays, and the commands that start each end. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The addresses of one tunnel, chosen for each measurement. */
export interface Place {
  /** The address of the server for the client. */
  serverHost: string;
  tcpPort: number;
  /** The application on the client side. It sends the datagrams that enter the client. */
  clientApp: string;
  /** The application on the server side. The server sends it the datagrams from the client. */
  serverApp: string;
  /**
   * The UDP ports of client and server. The application of each side has the same port at its own address.
   */
  clientPort: number;
  serverPort: number;
}

export interface Relay {
  /** Its name in tables and results. */
  readonly name: string;
  server(place: Place): string[];
  client(place: Place): string[];
  /** Whether this is udptunnel with other options. */
  readonly variant?: boolean;
  /** Whether the client connects at its start, and not at the first datagram; undefined if unknown. */
  readonly dialsAtStart?: boolean;
  /** Whether each end sends its datagrams from another UDP port than it receives on. */
  readonly answersFromOtherPort?: boolean;
  /** Whether the client ends with its TCP connection. */
  readonly endsWithConnection?: boolean;
  /** Whether the application on the server side can send first: the relay has one peer at a known address. */
  readonly bothWays: boolean;
  /** The arguments for one connection per UDP source; undefined when the relay has no such mode. */
  readonly perSource?: readonly string[];
}

const TLS_NAME = "relay.bench";
const CLI = join(import.meta.dir, "../../src/cli/udptunnel.ts");

/** Options for each end of a relay. */
interface EndArguments {
  readonly server: readonly string[];
  readonly client: readonly string[];
}

function ours(extra: EndArguments, option = ""): Relay {
  return {
    name: option === "" ? "ours" : `ours ${option}`,
    variant: option !== "",
    server: (at) => [
      ...[process.execPath, CLI, "-s", `${at.tcpPort}`],
      ...[...extra.server, `${at.serverApp}/${at.serverPort}`],
    ],
    client: (at) => [
      ...[process.execPath, CLI, "-c", `${at.serverHost}/${at.tcpPort}`],
      ...[...extra.client, `${at.clientApp}/${at.clientPort}`],
    ],
    dialsAtStart: true,
    bothWays: true,
    perSource: ["-p"],
  };
}

/** The program that defined the framing, from its Debian package. */
const original: Relay = {
  name: "original",
  server: (at) => ["udptunnel", "-s", `${at.tcpPort}`, `${at.serverApp}/${at.serverPort}`],
  client: (at) => ["udptunnel", "-c", `${at.serverHost}/${at.tcpPort}`, `${at.clientApp}/${at.clientPort}`],
  dialsAtStart: true,
  answersFromOtherPort: true,
  endsWithConnection: true,
  bothWays: true,
};

/**
 * Mullvad's two programs: the same frames, one connection for the first source, one UDP port per connection.
 * They run with their defaults, which include Nagle's algorithm.
 */
const mullvad: Relay = {
  name: "mullvad",
  server: (at) => [
    "tcp2udp",
    ...["--tcp-listen", `${at.serverHost}:${at.tcpPort}`],
    ...["--udp-forward", `${at.serverApp}:${at.serverPort}`],
  ],
  client: (at) => [
    "udp2tcp",
    ...["--udp-listen", `0.0.0.0:${at.clientPort}`],
    ...["--tcp-forward", `${at.serverHost}:${at.tcpPort}`],
  ],
  dialsAtStart: false,
  endsWithConnection: true,
  bothWays: false,
};

/**
 * jonhoo's program, the crate of this name: a length of four bytes before each datagram, for one peer. It
 * does not share a port with an application on its host, so its server has any free UDP port.
 */
const udpOverTcp: Relay = {
  name: "udp-over-tcp",
  server: (at) => [
    ...["udp-over-tcp", "--tcp-listen", `${at.serverHost}:${at.tcpPort}`],
    ...["--udp-bind", "0.0.0.0:0", "--udp-sendto", `${at.serverApp}:${at.serverPort}`],
  ],
  client: (at) => [
    ...["udp-over-tcp", "--tcp-connect", `${at.serverHost}:${at.tcpPort}`],
    ...["--udp-bind", `0.0.0.0:${at.clientPort}`, "--udp-sendto", `${at.clientApp}:${at.clientPort}`],
  ],
  dialsAtStart: true,
  endsWithConnection: true, // when the connection is reset
  bothWays: false,
};

/** No relay: generator and sink alone. */
export const nothing: Relay = {
  name: "nothing between",
  server: () => [],
  client: () => [],
  dialsAtStart: false,
  bothWays: false,
};

/** The measured relays, and the others with the reason. */
export interface Contest {
  relays: Relay[];
  leftOut: string[];
}

/** Finds the relays that can be measured here. A given relay takes the place of one with the same name. */
export function findRelays(given: readonly Relay[]): Contest {
  const offloadOff = ["--offload", "off"];
  const contest: Contest = {
    relays: [
      ours({ server: [], client: [] }),
      ours({ server: offloadOff, client: offloadOff }, "--offload off"),
    ],
    leftOut: [],
  };
  const tls = makeTlsArguments();
  if (tls === undefined) contest.leftOut.push("ours --tls: openssl not found");
  else contest.relays.push(ours(tls, "--tls"));
  const offer = (relay: Relay, programs: string[], hint: string) => {
    if (given.some(({ name }) => name === relay.name)) return;
    const missing = programs.filter((program) => Bun.which(program) === null);
    if (missing.length === 0) contest.relays.push(relay);
    else contest.leftOut.push(`${relay.name}: ${missing.join(" and ")} not found${hint}`);
  };
  offer(original, ["udptunnel"], " (bun run bench:install)");
  offer(mullvad, ["udp2tcp", "tcp2udp"], " (bun run bench:install)");
  offer(udpOverTcp, ["udp-over-tcp"], " (bun run bench:install)");
  contest.relays.push(...given);
  return contest;
}

/** Makes a certificate with openssl for this run; undefined without openssl. It is deleted at the end. */
function makeTlsArguments(): EndArguments | undefined {
  if (Bun.which("openssl") === null) return undefined;
  const directory = mkdtempSync(join(tmpdir(), "udptunnel-bench-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const [cert, key] = [join(directory, "cert.pem"), join(directory, "key.pem")];
  const made = Bun.spawnSync([
    ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
    ...["-subj", `/CN=${TLS_NAME}`, "-addext", `subjectAltName=DNS:${TLS_NAME}`, "-days", "2"],
    ...["-out", cert, "-keyout", key],
  ]);
  if (!made.success) throw new Error(`openssl req: ${made.stderr.toString()}`);
  return {
    server: ["--tls", "--cert", cert, "--key", key],
    client: ["--tls", "--ca", cert, "--sni", TLS_NAME],
  };
}
