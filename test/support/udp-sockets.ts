/** The IPv4 UDP sockets of this network namespace, as Linux lists them (proc(5), /proc/net/udp). */

import { readFileSync } from "node:fs";

export interface UdpSocket {
  /** The local address, as the file has it: eight hexadecimal digits, all 0 for any. */
  readonly address: string;
  readonly port: number;
  /** Datagrams the kernel dropped because nobody had read those before: the program got no time. */
  readonly drops: number;
}

export function udpSockets(): UdpSocket[] {
  const [, ...rows] = readFileSync("/proc/net/udp", "utf8").trim().split("\n");
  return rows.map((row) => {
    const columns = row.trim().split(/\s+/);
    const [address = "", port = ""] = (columns[1] ?? "").split(":");
    return { address, port: Number.parseInt(port, 16), drops: Number(columns.at(-1)) };
  });
}
