/** The IPv4 UDP sockets of a network namespace, as Linux lists them (proc(5), /proc/net/udp). */

import { readFileSync } from "node:fs";

export interface UdpSocket {
  /** The local address as in the file: eight hexadecimal digits, all 0 for any address. */
  readonly address: string;
  readonly port: number;
  /** Unique to the socket. */
  readonly inode: number;
  /** Datagrams that the kernel dropped because the receive buffer was full: the program got no CPU time. */
  readonly drops: number;
}

/** @param pid a process in the namespace. */
export function udpSockets(pid: number | "self" = "self"): UdpSocket[] {
  const [, ...rows] = readFileSync(`/proc/${pid}/net/udp`, "utf8").trim().split("\n");
  return rows.map((row) => {
    const columns = row.trim().split(/\s+/);
    const [address = "", port = ""] = (columns[1] ?? "").split(":");
    const [inode, drops] = [Number(columns[9]), Number(columns.at(-1))];
    return { address, port: Number.parseInt(port, 16), inode, drops };
  });
}

/**
 * Datagrams that the kernel dropped at this IPv4 socket, whose buffer was full; NaN when the socket does not
 * exist.
 */
export function dropsAt(host: string, port: number): number {
  const reversed = host.split(".").toReversed().map(Number);
  const address = Buffer.from(reversed).toString("hex").toUpperCase();
  return (
    udpSockets().find((socket) => socket.address === address && socket.port === port)?.drops ?? Number.NaN
  );
}
