/**
 * A syslog collector without a UDP port: this program is itself the server of its senders' tunnels. A sender
 * that can reach it only by TCP runs `udptunnel -c collector.example/5140 127.0.0.1/514` and sends syslog
 * over UDP (RFC 5426) to that tunnel.
 *
 *     bun syslog-collector.ts [TCP-addr/]TCP-port
 *
 * It prints each message as one line of JSON. At SIGTERM it prints the received messages and exits.
 */

import { type DatagramChannel, listenChannels, OptionsError } from "udptunnel";

const SEVERITIES = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
const decoder = new TextDecoder();

/**
 * Splits a message into its parts. `<PRI>` is eight times the facility, plus the severity (RFC 5424, 6.2.1).
 */
function parse(datagram: Uint8Array): { facility: number; severity: string | undefined; message: string } {
  const [, priority, message] = /^<(\d{1,3})>(.*)$/s.exec(decoder.decode(datagram)) ?? [];
  const number = Number(priority ?? 13); // without a priority: user-level notice (RFC 3164, 4.3.3)
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
