import { afterEach, describe, expect, test } from "bun:test";
import { CONNECTIONS_MAX, HttpListener, isAllowedHost } from "../../src/cli/http-listener.ts";
import { ManyClients } from "../hostile/many-clients.ts";
import { until } from "../support/until.ts";

let listener: HttpListener | undefined;
afterEach(() => listener?.close());

async function listen(body = "hello\n"): Promise<number> {
  listener = new HttpListener((_request, response) => void response.end(body));
  return await listener.listen("127.0.0.1", 0);
}

test("silent connections are evicted for new ones, and the limit holds", async () => {
  const port = await listen();
  await using clients = new ManyClients(port);
  const many = 4 * CONNECTIONS_MAX;
  await clients.connect(many);
  await until("the oldest to be closed", () => clients.closed === many - CONNECTIONS_MAX);
  expect(clients.clients.slice(-CONNECTIONS_MAX).some(({ closed }) => closed())).toBe(false);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("hello\n");
  expect(clients.closed).toBe(many - CONNECTIONS_MAX + 1);
});

test("each connection gets one response, of any length, and is then closed", async () => {
  const body = "x".repeat(5_000_000);
  const port = await listen(body);
  await using clients = new ManyClients(port);
  const [client] = await clients.connect(1);
  client?.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await until("the end of the response", () => client?.closed() === true);
  expect(client?.read().length).toBeGreaterThan(body.length);
});

test("connections that send no HTTP, or too long a header, are closed, and others are served", async () => {
  const port = await listen();
  await using clients = new ManyClients(port);
  const [garbage, endless] = await clients.connect(2);
  garbage?.socket.write("\0\xff\xff not HTTP\r\n\r\n");
  endless?.socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\nA: ${"x".repeat(200_000)}`);
  await until("both to be closed", () => clients.closed === 2);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("hello\n");
});

test("close() closes listeners and connections", async () => {
  const port = await listen();
  await using clients = new ManyClients(port);
  await clients.connect(3);
  listener?.close();
  await until("all to be closed", () => clients.closed === 3);
  await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
});

describe("the Host header", () => {
  test.each([
    "localhost",
    "LocalHost:9100",
    "127.0.0.1",
    "127.0.0.1:9100",
    "127.8.9.10:80",
    "[::1]",
    "[::1]:9100",
    "[::ffff:127.0.0.1]:9100",
    "metrics.internal:9100",
    undefined,
  ])("%p is allowed on loopback", (host) => {
    expect(isAllowedHost(host, "127.0.0.1", "Metrics.internal")).toBe(true);
    expect(isAllowedHost(host, "::1", "Metrics.internal")).toBe(true);
  });

  test.each([
    "evil.example",
    "evil.example:9100",
    "127.evil.example",
    "127.0.0.1.evil.example:9100",
    "localhost.evil.example",
    "192.0.2.1:9100",
    "[2001:db8::1]:9100",
    "evil@127.0.0.1",
    "127.0.0.1:9100:1",
    "undefined",
    "",
  ])("%p is rejected on loopback, and allowed elsewhere", (host) => {
    for (const at of ["127.0.0.1", "127.0.0.5", "::1", "::ffff:127.0.0.1"])
      expect(isAllowedHost(host, at, undefined)).toBe(false);
    for (const at of ["192.0.2.1", "2001:db8::1"]) expect(isAllowedHost(host, at, undefined)).toBe(true);
  });
});
