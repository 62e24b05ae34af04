import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { AUTH_FAILURE_REASONS, DROP_REASONS } from "../../src/observe/counters.ts";
import { DelayHistogram } from "../../src/observe/delay-histogram.ts";
import { EventLoopLag, SAMPLE_MS } from "../../src/observe/event-loop-lag.ts";
import { metricsText } from "../../src/observe/metrics.ts";
import type { Observable } from "../../src/observe/stats.ts";
import { VirtualClock } from "../support/memory/virtual-clock.ts";
import { CLIENT, Scene, SERVER } from "../support/memory-tunnels.ts";

const FIGURES = { version: "1.2.3", eventLoopLag: new DelayHistogram(), droppedLogLines: () => 0 };

const scrape = (tunnels: ReadonlyMap<string, Observable>, figures = FIGURES) =>
  metricsText(() => tunnels, figures);

const STREAM_GAUGE = {
  unackedBytes: 0,
  inFlightBytes: 0,
  outstandingBytes: 0,
  unsentBytes: 0,
  mssBytes: 1460,
  rttMs: 25,
  minRttMs: 20,
  deliveredBytes: 0,
  retransmits: 3,
};

const linesOf = (text: string, name: string) =>
  text.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));

test("a scrape has the current values of each tunnel", async () => {
  const scene = new Scene();
  scene.wire.streamFaults = {
    ...scene.wire.streamFaults,
    gauge: () => STREAM_GAUGE,
  };
  const { server, client, clientApp } = await scene.pair();
  const tunnels = new Map([["a", client.tunnel]]);
  for (const text of ["one", "three"]) clientApp.send(CLIENT, text);
  scene.wire.inject({ address: "10.0.9.1", port: 1 }, { address: CLIENT, port: 5000 }, Uint8Array.of(1));
  await scene.clock.settle();
  const text = scrape(tunnels);
  const value = (sample: string) =>
    Number(
      text
        .split("\n")
        .find((line) => line.startsWith(`${sample} `))
        ?.split(" ")
        .at(-1),
    );
  expect(value('udptunnel_datagrams_received_total{tunnel="a",direction="outbound"}')).toBe(3);
  expect(value('udptunnel_datagrams_sent_total{tunnel="a",direction="outbound"}')).toBe(2);
  expect(
    value('udptunnel_datagrams_dropped_total{tunnel="a",direction="outbound",reason="wrong source"}'),
  ).toBe(1);
  expect(value('udptunnel_received_bytes_total{tunnel="a",direction="outbound"}')).toBe(9);
  expect(value('udptunnel_tcp_write_calls_total{tunnel="a"}')).toBe(1);
  expect(value('udptunnel_tcp_rtt_seconds{tunnel="a"}')).toBe(0.025);
  expect(value('udptunnel_tcp_min_rtt_seconds{tunnel="a"}')).toBe(0.02);
  expect(value('udptunnel_tcp_retransmits_total{tunnel="a"}')).toBe(3);
  expect(value('udptunnel_up{tunnel="a"}')).toBe(1);
  expect(value(`udptunnel_build_info{version="1.2.3",bun="${Bun.version}"}`)).toBe(1);
  // The memory network does not report kernel drops.
  expect(linesOf(text, "udptunnel_kernel_drops_total")).toEqual([]);
  tunnels.set("b", server.tunnel);
  clientApp.send(CLIENT, "more");
  await scene.clock.settle();
  const later = scrape(tunnels);
  expect(linesOf(later, "udptunnel_tcp_write_calls_total")).toEqual([
    'udptunnel_tcp_write_calls_total{tunnel="a"} 2',
    'udptunnel_tcp_write_calls_total{tunnel="b"} 0',
  ]);
  expect(linesOf(later, "udptunnel_udp_send_calls_total")[1]).toBe(
    'udptunnel_udp_send_calls_total{tunnel="b"} 2',
  );
  await scene.end();
});

test("every reason of a failed authentication has a value from the start", async () => {
  const scene = new Scene();
  const { tunnel } = await scene.server({ secret: "known-to-both-ends" });
  (await scene.connect("10.0.9.1")).stream.write(Uint8Array.of(0, 1, 7));
  await scene.clock.settle();
  const lines = linesOf(scrape(new Map([["a", tunnel]])), "udptunnel_connections_auth_failed_total");
  expect(lines).toContain('udptunnel_connections_auth_failed_total{tunnel="a",reason="no handshake"} 1');
  expect(lines).toContain('udptunnel_connections_auth_failed_total{tunnel="a",reason="invalid proof"} 0');
  expect(lines).toHaveLength(6);
  await scene.end();
});

test("the buckets of the delay are cumulative, and the last one has all frames", async () => {
  const scene = new Scene();
  const { client } = await scene.pair();
  const { delay } = client.tunnel.counters;
  for (const ms of [0.0625, 0.25, 0.25, 700, 5000]) delay.record(ms);
  const text = scrape(new Map([["a", client.tunnel]]));
  const buckets = linesOf(text, "udptunnel_queue_delay_seconds_bucket").map((line) =>
    line.replace(/^.*le=/, ""),
  );
  expect([buckets[0], buckets[1], buckets.at(-2), buckets.at(-1)]).toEqual([
    '"0.0001"} 1',
    '"0.0005"} 3',
    '"1"} 4',
    '"+Inf"} 5',
  ]);
  expect(linesOf(text, "udptunnel_queue_delay_seconds_count")).toEqual([
    'udptunnel_queue_delay_seconds_count{tunnel="a"} 5',
  ]);
  expect(text).toContain('udptunnel_queue_delay_seconds_sum{tunnel="a"} 5.7005625');
  await scene.end();
});

test("the event loop's lag is sampled every 100 ms, also those that a blocked loop missed", async () => {
  const clock = new VirtualClock();
  let blockedMs = 0;
  const lag = new EventLoopLag({
    now: () => clock.now() + blockedMs,
    after: (delayMs, run) => clock.after(delayMs, run),
    endOfTick() {},
  });
  await clock.advance(3 * SAMPLE_MS);
  blockedMs = 3; // from now on, so that one sample is late
  await clock.advance(SAMPLE_MS);
  await clock.advance(2 * SAMPLE_MS);
  blockedMs += 250;
  await clock.advance(SAMPLE_MS);
  lag.stop();
  expect(clock.pending).toBe(0);
  const text = scrape(new Map(), { version: "", eventLoopLag: lag.histogram, droppedLogLines: () => 7 });
  const buckets = linesOf(text, "udptunnel_event_loop_lag_seconds_bucket").map((line) =>
    line.replace(/^.*{/, ""),
  );
  expect(buckets).toEqual([
    'le="0.001"} 5',
    'le="0.002"} 5',
    'le="0.005"} 6',
    'le="0.01"} 6',
    'le="0.02"} 6',
    'le="0.05"} 7',
    'le="0.1"} 7',
    'le="0.2"} 8',
    'le="0.5"} 9',
    'le="1"} 9',
    'le="+Inf"} 9',
  ]);
  expect(linesOf(text, "udptunnel_event_loop_lag_seconds_count")).toEqual([
    "udptunnel_event_loop_lag_seconds_count 9",
  ]);
  expect(linesOf(text, "udptunnel_log_lines_dropped_total")).toEqual(["udptunnel_log_lines_dropped_total 7"]);
});

test("docs/operating.md explains each reason of dropped datagrams and failed authentications, and no others", () => {
  const docs = readFileSync(new URL("../../docs/operating.md", import.meta.url), "utf8");
  const tables = [...docs.matchAll(/^\| Reason \|.*\n\|---.*\n((?:\|.*\n)+)/gm)].map(([, rows = ""]) =>
    [...rows.matchAll(/^\|([^|]*)\|/gm)]
      .flatMap(([, column = ""]) => column.match(/`[a-z ]+`/g) ?? [])
      .map((reason) => reason.slice(1, -1))
      .toSorted(),
  );
  expect(tables).toEqual([DROP_REASONS.toSorted(), AUTH_FAILURE_REASONS.toSorted()]);
});

test("docs/operating.md has a row for each metric, with its type and labels, and no other rows", async () => {
  const docs = readFileSync(new URL("../../docs/operating.md", import.meta.url), "utf8");
  const rows = [...docs.matchAll(/^\| `(udptunnel_\w+)` \| (\w+) \| ([\w, ]*)\|/gm)].map(
    ([, name, type, labels = ""]) => `${name} ${type} ${labels.trim()}`.trim(),
  );
  const scene = new Scene();
  scene.wire.streamFaults = { ...scene.wire.streamFaults, gauge: () => STREAM_GAUGE };
  const { server } = await scene.pair();
  scene.udp(SERVER).faults.kernelDrops = 1;
  const text = scrape(new Map([["a", server.tunnel]]));
  const written = [...text.matchAll(/^# TYPE (\w+) (\w+)\n\w+(?:\{(.*)\})? /gm)].map(
    ([, name, type, pairs = ""]) => {
      const labels = [...pairs.matchAll(/(\w+)="/g)].map(([, label = ""]) => label);
      const own = labels.filter((label) => !["tunnel", "le"].includes(label));
      return `${name} ${type} ${own.join(", ")}`.trim();
    },
  );
  expect(written).toHaveLength(text.match(/^# TYPE /gm)?.length ?? 0);
  expect(rows.toSorted()).toEqual(written.toSorted());
  await scene.end();
});
