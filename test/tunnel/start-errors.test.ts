import { describe, expect, test } from "bun:test";
import { TunnelError } from "../../src/errors.ts";
import { encodeFrame } from "../../src/framing/index.ts";
import { startServer, type TunnelEvent } from "../../src/index.ts";
import { NetError } from "../../src/net/network.ts";
import type { Settings } from "../../src/options/settings.ts";
import { withAdvice } from "../../src/tunnel/start-errors.ts";
import { client, type Loose, server } from "../options/given.ts";
import { connectRaw, writeAll } from "../support/loopback.ts";

/** The advice for an errno, with options spelt as on a command line. */
function adviceFor(
  code: "ERR_UDP_BIND" | "ERR_LISTEN" | "ERR_PERMISSION",
  errno: string,
  settings: Settings,
): string {
  const error = new TunnelError(code, "it failed", { cause: new NetError(errno, "it failed") });
  const { message, cause } = withAdvice(error, settings, (key) => `--${key}`) as TunnelError;
  expect(cause).toBe(error.cause);
  return message.replace("it failed", "");
}

describe("the advice for a UDP port in use", () => {
  const inUse = (settings: Settings) => adviceFor("ERR_UDP_BIND", "EADDRINUSE", settings);

  test("in peer mode is per-source mode, or another local address", () => {
    expect(inUse(server({ target: "localhost/4000" }))).toBe(
      "; another program has that port, possibly the one whose datagrams the tunnel should carry: " +
        "give --perSource on both ends, or another local address with --bind (such as 127.0.0.2) if that program uses only one",
    );
  });

  test("names no option that other options rule out", () => {
    const cases: [options: Loose, expected: boolean][] = [
      [{ rtp: true, target: "h/4" }, false],
      [{ once: true }, false],
      [{ udpReceiveOnly: true }, false],
      [{}, true],
    ];
    for (const [options, expected] of cases) {
      expect(inUse(server(options)).includes("--perSource")).toBe(expected);
      expect(inUse(server(options))).toContain("--bind");
    }
    expect(inUse(server({ target: "224.2.0.1/4000" }))).not.toContain("--bind");
    expect(inUse(client({ perSource: true }))).toBe(
      "; another program has that port: give another one, or another local address with --bind",
    );
  });
});

test("the advice for other frequent errors", () => {
  const plain = server({});
  expect(adviceFor("ERR_LISTEN", "EADDRINUSE", plain)).toContain("give another one with --listen");
  expect(adviceFor("ERR_LISTEN", "EADDRNOTAVAIL", plain)).toContain("give one of its own with --listen");
  expect(adviceFor("ERR_UDP_BIND", "EADDRNOTAVAIL", plain)).toContain("give one of its own with --bind");
  expect(adviceFor("ERR_UDP_BIND", "ENODEV", plain)).toContain("interfaces with --interface");
  const linkLocal = adviceFor("ERR_UDP_BIND", "EINVAL", server({ target: "ff02::1/5000" }));
  expect(linkLocal).toContain("give it with --interface");
  expect(adviceFor("ERR_UDP_BIND", "EINVAL", server({ target: "ff05::1/5000" }))).toBe("");
  expect(adviceFor("ERR_UDP_BIND", "ENETUNREACH", plain)).toContain("no route");
  expect(adviceFor("ERR_PERMISSION", "EACCES", server({ listen: 80 }))).toContain("below 1024");
  expect(adviceFor("ERR_PERMISSION", "EACCES", plain)).toBe("");
  expect(adviceFor("ERR_LISTEN", "EINVAL", plain)).toBe("");
});

test("the library spells options by its own keys", async () => {
  const holder = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
  const target = `127.0.0.1/${holder.port}`;
  const failed = startServer({ listen: "127.0.0.1/0", target, bind: "127.0.0.1" });
  await expect(failed).rejects.toThrow(/EADDRINUSE; .*give perSource on both ends, or .* with bind /);
  holder.close();
});

test("a tunnel starts without a route to its target, which may exist later", async () => {
  // 127.0.0.1 has no route to another host (ip(7)).
  const options = { listen: "127.0.0.1/0", target: "192.0.2.1/9", bind: "127.0.0.1", udpSendOnly: true };
  const failure = Promise.withResolvers<TunnelEvent>();
  const onEvent = (event: TunnelEvent) => {
    if (event.type === "sending failed") failure.resolve(event);
  };
  await using tunnel = await startServer(options, { onEvent });
  using peer = await connectRaw(tunnel.tcp[0]?.port ?? 0);
  await writeAll(peer.socket, encodeFrame(Uint8Array.of(1)));
  expect(await failure.promise).toMatchObject({ target: { address: "192.0.2.1", port: 9 }, lost: 1 });
});

test("a problem that is found after the look-up names the option as the user spells it", async () => {
  const options = { listen: "127.0.0.1/0", target: "localhost/9", loop: true };
  await expect(startServer(options)).rejects.toMatchObject({
    code: "ERR_OPTIONS",
    problems: [{ option: "loop", problem: expect.stringContaining("is not a multicast group") }],
  });
});
