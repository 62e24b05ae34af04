import { describe, expect, test } from "bun:test";
import type { Settings } from "../../src/options/settings.ts";
import { client, type Loose, problemsOf, server } from "./given.ts";

const PIN = `sha256:${"ab".repeat(32)}`;

describe("conflicting options are reported", () => {
  const CASES: [what: Loose, problems: RegExp[], read?: (options: Loose) => Settings][] = [
    [{ udpSendOnly: true, udpReceiveOnly: true }, [/^udpSendOnly: with udpReceiveOnly/]],
    [{ rtp: true, listen: 5001 }, [/^listen: port 5001 is odd; with rtp/]],
    [{ rtp: true, listen: 0 }, [/^listen: port 0/]],
    [{ rtp: true, target: "h/5001" }, [/^target: port 5001 is odd/]],
    [{ rtp: true, connect: ["a/2", "b/3", "c/5"] }, [/^connect: port 3/, /^connect: port 5/], client],
    [{ rtp: true, target: "h/5001" }, [/^target: port 5001/], client],
    [{ perSource: true, rtp: true }, [/^rtp: does not go with perSource/]],
    [{ perSource: true, udpReceiveOnly: true }, [/^udpReceiveOnly: does not go with perSource/]],
    [{ perSource: true, udpSendOnly: true }, [/^udpSendOnly: does not go with perSource/]],
    [{ anyPort: true }, [/^anyPort: needs perSource/]],
    [{ perSource: true, once: true }, [/^once: does not go with perSource/]],
    [{ perSource: true, target: "224.2.0.1/5000" }, [/^target: "224.2.0.1" is a multicast group/]],
    [{ perSource: true, target: "ff02::1%lo/5000" }, [/^target: "ff02::1%lo" is a multicast group/]],
    [
      { source: "192.0.2.1", target: "192.0.2.2/5000" },
      [/^source: is for multicast, and "192.0.2.2" is not a multicast group/],
    ],
    [{ loop: true, target: "192.0.2.2/5000" }, [/^loop: is for multicast/]],
    [{ interface: "lo", target: "192.0.2.2/5000" }, [/^interface: is for multicast groups and link-local/]],
    [{ interface: "lo", target: "2001:db8::1/5000" }, [/^interface: is for multicast/]],
    [{ anySource: true, from: "192.0.2.1" }, [/^from: adds nothing to anySource/]],
    [{ family: 4, target: "::1/5000" }, [/^target: "::1" is not an IPv4 address, and family/]],
    [{ family: 6, target: "127.0.0.1/5000" }, [/^target: "127.0.0.1" is not an IPv6 address/]],
    [{ family: 6, listen: "127.0.0.1/5000" }, [/^listen: /]],
    [{ family: 4, bind: "::1" }, [/^bind: /]],
    [{ family: 4, connect: ["::1", "a", "127.0.0.1"] }, [/^connect: "::1"/], client],
    [{ family: 4, tcpBind: "::1" }, [/^tcpBind: /], client],
    [
      { bind: "::1", target: "127.0.0.1/5000" },
      [/^bind: "::1" and target "127.0.0.1" are of different families/],
    ],
    [{ source: "192.0.2.1", target: "ff02::1/5000" }, [/^source: "192.0.2.1" and target "ff02::1"/]],
    [{ tcpBind: "::1", connect: "127.0.0.1" }, [/^tcpBind: "::1" and connect "127.0.0.1"/], client],
    [{ tcpBind: "::1" }, [/^tcpBind: is for the client only/], server],
    [{ connect: "a" }, [/^connect: is for the client only/], server],
    [{ allow: "::1" }, [/^allow: is for the server only/], client],
    [{ listen: 5000 }, [/^listen: is for the server only/], client],
    [{ cert: "a", key: "b" }, [/^cert: needs tls/, /^key: needs tls/]],
    [{ pin: PIN, sni: "h" }, [/^pin: needs tls/, /^sni: needs tls/], client],
    [{ tls: true }, [/^cert: is missing, and a server with tls needs it/, /^key: is missing/]],
    [{ tls: true, cert: "a" }, [/^key: is missing/]],
    [{ tls: true, cert: "", key: "b" }, [/^cert: its value is missing/]],
    [{ requireAuth: true, secret: "short" }, [/^secret: has 5 bytes/]],
    [
      { requireAuth: true },
      [/^requireAuth: .* give clientCa, secretFile or secret \(allow does not count\)/],
    ],
    [{ tls: true, cert: "a" }, [/^key: is missing, and cert needs it/], client],
    [{ tls: true, key: "a" }, [/^cert: is missing, and key needs it/], client],
    [{ tls: true, ca: "a", pin: PIN }, [/^ca: does not go with pin/], client],
    [{ tls: true, clientCa: "a" }, [/^clientCa: is for the server only/], client],
    [{ tls: true, cert: "a", key: "b", ca: "c" }, [/^ca: is for the client only/]],
    [{ tls: true, cert: "a", key: "b", pin: PIN }, [/^pin: is for the client only/]],
    [{ ca: "c", pin: "not a pin" }, [/^ca: is for the client only/, /^pin: is for the client only/]],
    [{ tls: true, pin: "sha256:abc" }, [/^pin: "sha256:abc" is not a pin; give sha256: and/], client],
    [{ tls: true, pin: PIN.replace("sha256", "sha1") }, [/^pin: /], client],
    [{ maxSessionsPerAddress: 1 }, [/^maxSessionsPerAddress: is for the server only/], client],
  ];
  test.each(CASES)("%j", (options, patterns, read = server) => {
    const problems = problemsOf(() => read(options));
    expect(problems).toHaveLength(patterns.length);
    for (const [index, pattern] of patterns.entries()) expect(problems[index]).toMatch(pattern);
  });
});

test("options that are valid together are accepted", () => {
  const group = { target: "ff05::1/5000/3", source: ["2001:db8::1"], interface: "eth0", loop: true };
  expect(server({ ...group, rtp: true })).toMatchObject({
    source: ["2001:db8::1"],
    interface: "eth0",
    loop: true,
  });
  expect(server({ target: "fe80::1/5000", interface: "eth0" }).interface).toBe("eth0");
  expect(client({ tls: true, pin: PIN, sni: "x", cert: "a", key: "b" }).pin).toBe(PIN);
  expect(client({ tls: true, pin: `sha256:${"A".repeat(43)}=`, rtp: true }).tls).toBe(true);
  expect(server({ tls: true, cert: "a", key: "b", clientCa: "c", perSource: true }).clientCa).toBe("c");
  // Only the look-up of a host name shows whether it is a multicast group.
  expect(server({ target: "group.example/5000", loop: true, source: "192.0.2.1" }).loop).toBe(true);
  expect(server({ target: "192.0.2.1/5000/9" }).target.ttl).toBe(9);
  expect(server({ family: 4, target: "::ffff:192.0.2.1/5000" }).family).toBe(4);
  expect(server({ bind: "127.0.0.1", target: "localhost/5000" }).bind).toBe("127.0.0.1");
  expect(client({ tcpBind: "::1", connect: ["a", "::1"] }).tcpBind).toBe("::1");
});
