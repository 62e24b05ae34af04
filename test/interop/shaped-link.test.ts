/**
 * A link whose bottleneck is the sending host. Its queueing discipline (tc-tbf(8)) drops segments before they
 * are sent, and `bytes_sent` of TCP_INFO then counts them twice.
 */

import { expect } from "bun:test";
import { UDPTUNNEL } from "../../scripts/running-program.ts";
import { namespacesForTests } from "../support/namespaces.ts";
import { testNeeding } from "../support/need.ts";
import { until } from "../support/until.ts";

const test = testNeeding("root", "ip", "tc");
const [HERE, THERE] = ["10.79.1.1", "10.79.1.2"];
const CONNECTIONS = 4;
const GAUGE_PROGRAM = new URL("../support/gauge-after-drops.ts", import.meta.url).pathname;

const net = namespacesForTests(() => {
  net.join(
    { host: "here", name: "wan", addresses: [`${HERE}/24`] },
    { host: "there", name: "wan", addresses: [`${THERE}/24`] },
  );
  for (const host of ["here", "there"]) shape(host, "wan", "rate 8mbit burst 4kb latency 20ms");
  net.ip("here", "link", "set", "lo", "mtu", "1500");
  shape("here", "lo", "rate 80mbit burst 16kb limit 16kb");
});

function shape(host: string, device: string, tbf: string): void {
  net.run(host, ["tc", "qdisc", "add", "dev", device, "root", "tbf", ...tbf.split(" ")]);
}

test("nothing is in flight once all data is acknowledged, though this host dropped segments", async () => {
  const program = net.start("here", [process.execPath, GAUGE_PROGRAM]);
  const { retransmits, ...rest } = JSON.parse(await program.said(/^{/));
  expect(rest).toEqual({ unackedBytes: 0, unsentBytes: 0, outstandingBytes: 0, inFlightBytes: 0 });
  expect(retransmits).toBeGreaterThan(0);
});

test("connections do not stall when the offered load is many times the capacity of the link", async () => {
  const tunnel = (host: string, args: string) => net.start(host, [...UDPTUNNEL, ...args.split(" ")]);
  const server = tunnel("there", `-vv -s ${THERE}/5000 --allow ${HERE} 127.0.0.2/6000`);
  await server.said(/listening/);
  const burst = 'for n in {1..100}; do printf %s "$payload"; done';
  const bursts = `while sleep 0.01; do ${burst}; done`;
  const flood = `exec > /dev/udp/127.0.0.1/6000; printf -v payload %1200s; ${bursts}`;
  const delivered = () => server.lines.filter((line) => line.includes("inbound")).length;
  // A connection that stalls does so after about 100 datagrams in most cases.
  for (let connection = 1; connection <= CONNECTIONS; connection++) {
    const client = tunnel("here", `-v -c ${THERE}/5000 --any-source 127.0.0.2/6000`);
    await client.said(/: connected/);
    const flooder = net.start("here", ["bash", "-c", flood]);
    const before = delivered();
    await until(`500 datagrams over connection ${connection}`, () => delivered() >= before + 500, 30_000);
    expect(client.lines.filter((line) => line.includes("disconnected"))).toEqual([]);
    await Promise.all([flooder.stop(), client.stop()]);
  }
}, 150_000);
