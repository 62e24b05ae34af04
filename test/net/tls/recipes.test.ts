import { expect } from "bun:test";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { Certificates } from "../../support/certificates.ts";
import { APP_HOST, freeTcpPort, freeUdpPort, TUNNEL_HOST, UdpApp } from "../../support/loopback.ts";
import { testNeeding } from "../../support/need.ts";
import { Program } from "../../support/program.ts";
import { until } from "../../support/until.ts";

const testTls = testNeeding("openssl");
const PAGE = await Bun.file(new URL("../../../docs/tls.md", import.meta.url)).text();

/** The code blocks in the page's section with this title. */
function blocksOf(title: string): string[] {
  const section = PAGE.split("\n## ").find((text) => text.startsWith(title)) ?? "";
  return [...section.matchAll(/```sh\n([^`]*)```/g)].map(([, block = ""]) => block);
}

/**
 * Runs the two commands of the last block on this host, with some words replaced, and sends a datagram
 * through.
 */
async function runEnds(
  title: string,
  directory: string,
  words: Record<string, string>,
  authorities = "",
): Promise<void> {
  const tcp = freeTcpPort();
  const [far, near] = [await freeUdpPort(), await freeUdpPort()];
  const [server = "", client = ""] = blocksOf(title).at(-1)?.trim().split("\n") ?? [];
  const entry = new URL("../../../src/cli/udptunnel.ts", import.meta.url).pathname;
  const command = ["env", "-C", directory, `SSL_CERT_FILE=${authorities}`, process.execPath, entry];
  const start = (line: string, port: number) => {
    const local = line
      .replace("-s 7000", `-s ${TUNNEL_HOST}/${tcp}`)
      .replace("-c relay.example/7000", `-c ${TUNNEL_HOST}/${tcp} --sni relay.example`)
      .replace("127.0.0.1/5000", `${APP_HOST}/${port} --bind ${TUNNEL_HOST}`);
    const full = Object.entries(words).reduce(
      (text, [word, replacement]) => text.replace(word, replacement),
      local,
    );
    return new Program(["-v", ...full.split(" ").slice(1)], command);
  };
  await using there = start(server, far);
  await there.says("listening");
  await using here = start(client, near);
  await here.says("connected");
  using a = await UdpApp.open(near);
  using b = await UdpApp.open(far);
  await until("a datagram", () => {
    a.send("through");
    return b.texts.includes("through");
  });
  expect([...there.lines, ...here.lines].filter((line) => /certificate|key/.test(line))).toEqual([]);
}

function shell(script: string, directory: string): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["sh", "-e", "-c", script], { cwd: directory });
  if (exitCode !== 0) throw new Error(stderr.toString());
  return stdout.toString().trim();
}

testTls("the recipe for a server with a public certificate works", async () => {
  using made = new Certificates();
  const authority = made.authority();
  const { cert, key } = made.issue(authority, { name: "relay.example" });
  const live = "/etc/letsencrypt/live/relay.example";
  const words = { [`${live}/fullchain.pem`]: cert, [`${live}/privkey.pem`]: key };
  chmodSync(key, 0o600);
  await runEnds("Recipe: a server with a public certificate", made.directory, words, authority.cert);
});

testTls("the recipe for mutual TLS works", async () => {
  using made = new Certificates();
  const [script = ""] = blocksOf("Recipe: mutual TLS");
  shell(script, made.directory);
  await runEnds("Recipe: mutual TLS", made.directory, {});
});

testTls("the recipe for a certificate without an authority works", async () => {
  using made = new Certificates();
  const directory = join(made.directory, "pinned");
  mkdirSync(directory);
  const [script = ""] = blocksOf("Recipe: a certificate without an authority");
  const hash = shell(script, directory);
  await runEnds("Recipe: a certificate without an authority", directory, { HASH: hash });
});
