/** Whoever connects to a server with TLS and does not get on with the handshake: what that costs is given back. */

import { expect } from "bun:test";
import { HostileClients } from "../../bench/e2e/hostile-clients.ts";
import { HANDSHAKES_PER_PREFIX_MAX } from "../../src/net/bun/tls-accept.ts";
import { Certificates } from "../support/certificates.ts";
import { APP_HOST, freeTcpPort, freeUdpPort, TUNNEL_HOST } from "../support/loopback.ts";
import { testNeeding } from "../support/need.ts";
import { Program } from "../support/program.ts";
import { until } from "../support/until.ts";
import { cpuSeconds, openFiles, residentBytes } from "./process-figures.ts";

const IDLE = { count: 2000 };
/** A record that opens a handshake (RFC 8446, section 5.1), a byte a second. */
const SLOW = { ...IDLE, bytes: `1603010200010001fc0303${"00".repeat(40)}`, drip: true };
const ROUNDS = 5;
/** A handshake under way is some 50 KB; 10 KB kept of each of 10,000 would be 100 MB. */
const MEMORY_BYTES = 40e6;

testNeeding("openssl")(
  "2,000 handshakes that go no further, silent or a byte a second, leave neither files nor memory taken",
  async () => {
    using certificates = new Certificates();
    const { cert, key } = certificates.selfSigned({ name: TUNNEL_HOST });
    const [tcp, udp] = [freeTcpPort(), await freeUdpPort()];
    const ends = ["-s", `${TUNNEL_HOST}/${tcp}`, "--bind", TUNNEL_HOST, `${APP_HOST}/${udp}`];
    await using server = new Program(["--tls", "--cert", cert, "--key", key, ...ends, "-v"]);
    await server.says("listening on TCP");
    const { pid } = server.child;
    const files = openFiles(pid);
    const round = async (behaviour: typeof IDLE) => {
      await using _clients = await HostileClients.start(tcp, behaviour);
      await until("the oldest to make room", () => openFiles(pid) <= files + HANDSHAKES_PER_PREFIX_MAX);
      const before = cpuSeconds(pid);
      await Bun.sleep(500); // an interval that is measured
      expect(cpuSeconds(pid) - before).toBeLessThan(0.25); // spinning would take all of it
    };
    await round(IDLE); // what is loaded at the first handshake stays
    const memory = residentBytes(pid);
    for (let number = 0; number < ROUNDS; number++) {
      await round(number % 2 === 0 ? IDLE : SLOW);
      await until("the files to be closed", () => openFiles(pid) <= files + 1);
    }
    expect(residentBytes(pid) - memory).toBeLessThan(MEMORY_BYTES);
    await using client = new Program([
      ...["-c", `${TUNNEL_HOST}/${tcp}`, "--bind", "127.0.0.4", `${APP_HOST}/${udp}`],
      ...["--tls", "--ca", cert, "-v"],
    ]);
    await client.says("connected");
  },
);
