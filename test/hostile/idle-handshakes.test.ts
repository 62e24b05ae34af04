/**
 * Clients that connect to a TLS server and do not complete the handshake: the server releases their
 * descriptors and memory.
 */

import { expect } from "bun:test";
import { HostileClients } from "../../bench/e2e/hostile-clients.ts";
import { HANDSHAKES_PER_PREFIX_MAX } from "../../src/net/bun/tls-accept.ts";
import { Certificates } from "../support/certificates.ts";
import { APP_HOST, freeTcpPort, freeUdpPort, TUNNEL_HOST } from "../support/loopback.ts";
import { testNeeding } from "../support/need.ts";
import { cpuSeconds, openFiles, residentBytes } from "../support/process-figures.ts";
import { Program } from "../support/program.ts";
import { until } from "../support/until.ts";

const IDLE = { count: 2000 };
/** The start of a TLS handshake (RFC 8446, section 5.1), one byte a second. */
const SLOW = { ...IDLE, bytes: `1603010200010001fc0303${"00".repeat(40)}`, drip: true };
const ROUNDS = 5;
/** A pending handshake takes some 50 KB. A leak of 10 KB for each of 10,000 would be 100 MB. */
const MEMORY_BYTES = 40e6;

testNeeding("openssl")(
  "2,000 incomplete handshakes, silent or one byte a second, leave no descriptors or memory in use",
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
      await until("the oldest to be evicted", () => openFiles(pid) <= files + HANDSHAKES_PER_PREFIX_MAX);
      const before = cpuSeconds(pid);
      await Bun.sleep(500); // the interval to measure
      expect(cpuSeconds(pid) - before).toBeLessThan(0.25); // a spinning process would use all of it
    };
    await round(IDLE); // the first handshake loads code that stays in memory
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
