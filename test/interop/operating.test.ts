/** Metrics, alerts and the status display, read by promtool and tmux as docs/operating.md describes. */

import { expect } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { APP_HOST, connectRaw, freeTcpPort, freeUdpPort, TUNNEL_HOST, UdpApp } from "../support/loopback.ts";
import { testNeeding } from "../support/need.ts";
import { Program } from "../support/program.ts";
import { until } from "../support/until.ts";

const ENTRY = new URL("../../src/cli/udptunnel.ts", import.meta.url).pathname;
const DOCS = readFileSync(new URL("../../docs/operating.md", import.meta.url), "utf8");

/** Runs a program to its end. Returns its exit status and output. */
function run(command: readonly string[], stdin = "") {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { stdin: Buffer.from(stdin) });
  return { status: exitCode, text: `${stdout}${stderr}` };
}

testNeeding("promtool")("promtool accepts the metrics", async () => {
  const [port, tcp] = [freeTcpPort(), freeTcpPort()];
  await using program = new Program([
    ...["-v", "--metrics", `${port}`, "-s", `${TUNNEL_HOST}/${tcp}`, "--bind", TUNNEL_HOST],
    `${APP_HOST}/${await freeUdpPort()}`,
  ]);
  await program.says("listening on TCP");
  using peer = await connectRaw(tcp);
  await program.says("connected");
  peer.socket.write(Uint8Array.of(0, 1, 7));
  const metrics = await (await fetch(`http://${TUNNEL_HOST}:${port}/metrics`)).text();
  expect(metrics).toContain("udptunnel_tcp_rtt_seconds{");
  expect(run(["promtool", "check", "metrics"], metrics)).toEqual({ status: 0, text: "" });
});

testNeeding("promtool")("promtool accepts the scrape and the alerts of docs/operating.md", () => {
  const directory = mkdtempSync(join(tmpdir(), "udptunnel-"));
  try {
    const files = [...DOCS.matchAll(/^```yaml (\S+)\n([\s\S]*?)^```$/gm)].map(([, name = "", text = ""]) => {
      writeFileSync(join(directory, name), text);
      return name;
    });
    expect(files).toEqual(["prometheus.yml", "rules.yml"]);
    const config = run(["promtool", "check", "config", join(directory, "prometheus.yml")]);
    expect(config).toMatchObject({ status: 0 });
    const rules = run(["promtool", "check", "rules", join(directory, "rules.yml")]);
    expect(rules).toMatchObject({ status: 0, text: expect.stringContaining("2 rules found") });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

testNeeding("tmux")(
  "--status keeps its lines at the bottom of the terminal, with the log above",
  async () => {
    const [tcp, udp] = [freeTcpPort(), await freeUdpPort()];
    const socket = `udptunnel-${process.pid}-${tcp}`;
    const tmux = (...args: string[]) => run(["tmux", "-L", socket, "-f", "/dev/null", ...args]).text;
    const screen = () => tmux("capture-pane", "-p", "-t", "0").trimEnd().split("\n");
    const args = `-v --status -s ${TUNNEL_HOST}/${tcp} --bind ${TUNNEL_HOST} ${APP_HOST}/${udp}`;
    tmux("new-session", "-d", "-x", "100", "-y", "20", `${process.execPath} ${ENTRY} ${args}; sleep 60`);
    try {
      await until("the status", () => screen().some((line) => line.startsWith("  listening, up")));
      using app = await UdpApp.open(udp);
      using peer = await connectRaw(tcp);
      await until("the peer", () => screen().some((line) => line.startsWith("  connected to 127.0.0.1:")));
      await until("the rate", () => {
        for (let count = 0; count < 10; count++) app.send("x".repeat(1000));
        return screen().some((line) => /^ {2}out [1-9]\d*\/s \d+\.\d\d Mbit\/s, queue/.test(line));
      });
      expect(peer.read.length).toBeGreaterThan(0);
      const lines = screen();
      expect(lines.slice(-4).map((line) => line.trim().split(/[ ,]/)[0])).toEqual([
        "connected",
        "out",
        "in",
        "dropped",
      ]);
      expect(lines.filter((line) => line.startsWith("  out"))).toHaveLength(1);
      expect(lines.filter((line) => line.startsWith("udptunnel: listening on TCP"))).toHaveLength(1);
      expect(lines.filter((line) => line.startsWith("udptunnel: connected"))).toHaveLength(1);
      tmux("send-keys", "-t", "0", "C-c");
      await until("the summary", () => screen().some((line) => line.startsWith("udptunnel: ran 0:")));
    } finally {
      tmux("kill-server");
    }
  },
);
