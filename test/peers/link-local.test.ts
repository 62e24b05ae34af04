/** A tunnel where there are no addresses but link-local ones, which mean something with their zone alone (RFC 4007). */

import { afterAll, afterEach, beforeAll, expect } from "bun:test";
import { UDPTUNNEL } from "../../scripts/running-program.ts";
import { Namespaces } from "../support/namespaces.ts";
import { testNeeding } from "../support/need.ts";

const test = testNeeding("root", "ip", "tcpdump");
const [A, B] = ["fe80::a", "fe80::b"];

let net: Namespaces;

beforeAll(() => {
  if (process.getuid?.() !== 0 || !Bun.which("ip")) return;
  net = new Namespaces();
  net.join(
    { host: "a", name: "wire", addresses: [`${A}/64`] },
    { host: "b", name: "wire", addresses: [`${B}/64`] },
  );
});
afterEach(() => net?.stopPrograms());
afterAll(() => net?.[Symbol.asyncDispose]());

/** A program of the other host sends to the UDP port of a tunnel's end, whose target it is. */
function say(host: string, to: string, port: number): void {
  net.run(host, ["bash", "-c", `echo hello > /dev/udp/${to}%wire/${port}`]);
}

for (const options of [[], ["-S"], ["-6"], ["-p"]]) {
  test(`datagrams cross between link-local addresses, TCP and UDP (${options.join(" ") || "plain"})`, async () => {
    const sniff = `exec tcpdump -i wire -n -l --immediate-mode udp >&2`;
    const packets = net.start("b", ["sh", "-c", sniff]);
    await packets.said(/listening on/);
    const sessions = options.includes("-p");
    const perSource = sessions ? ["-p"] : [];
    const start = (host: string, ...args: string[]) => net.start(host, [...UDPTUNNEL, "-vv", ...args]);
    const server = start("a", ...options, "-s", `${A}%wire/5000`, "--allow", B, `${B}%wire/6000`);
    await server.said(/listening/);
    const listens = sessions ? B : A;
    const client = start("b", ...perSource, "-c", `${A}%wire/5000`, `${listens}%wire/6001`);
    await client.said(sessions ? /relaying/ : /: connected/);
    say("a", B, 6001);
    await server.said(/inbound: 6 bytes/);
    await packets.said(new RegExp(`${A}\\.\\d+ > ${B}\\.6000: UDP, length 6`));
    if (options.length > 0 && options[0] !== "-6") return;
    say("b", A, 6000);
    await packets.said(new RegExp(`${B}\\.6001 > ${A}\\.6001: UDP, length 6`));
    expect([...server.lines, ...client.lines].filter((line) => line.includes("dropping"))).toEqual([]);
  });
}
