/**
 * A syslog collector that needs no UDP port: it is itself the far end of its senders' tunnels. On a machine that may only
 * speak TCP to it, `udptunnel -c collector.example/5140 127.0.0.1/514` takes syslog over UDP (RFC 5426) and carries it here.
 *
 *     bun syslog-collector.ts [TCP-addr/]TCP-port
 *
 * Each message becomes one line of JSON on stdout. SIGTERM ends it, after what has come is written.
 */

import { type DatagramChannel, listenChannels, OptionsError } from "udptunnel";

const SEVERITIES = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
const decoder = new TextDecoder();

/** A message's parts: `<PRI>` is eight times the facility and the severity (RFC 5424, 6.2.1). */
function parse(datagram: Uint8Array): { facility: number; severity: string | undefined; message: string } {
  const [, priority, message] = /^<(\d{1,3})>(.*)$/s.exec(decoder.decode(datagram)) ?? [];
  const number = Number(priority ?? 13); // user-level notice, when there is none (RFC 3164, 4.3.3)
  return {
    facility: number >> 3,
    severity: SEVERITIES[number & 7],
    message: message ?? decoder.decode(datagram),
  };
}

async function collect(channel: DatagramChannel): Promise<void> {
  for await (const datagram of channel) {
    process.stdout.write(`${JSON.stringify({ from: channel.remote.address, ...parse(datagram) })}\n`);
  }
}

const stopped = new AbortController();
process.once("SIGTERM", () => stopped.abort());

try {
  const options = { listen: process.argv[2] ?? "5140", maxSessionsPerAddress: 16 };
  const server = await listenChannels(options, collect, { signal: stopped.signal });
  process.stderr.write(`collecting on TCP port ${server.tcp[0]?.port}\n`);
  await server.closed;
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = error instanceof OptionsError ? 2 : 1;
}
