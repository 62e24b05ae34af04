/** Lets Bun take over a TCP descriptor. The types of `Bun.connect` lack this. */
export function adopt(fd: number, socket: Bun.SocketHandler): Promise<Bun.Socket> {
  const connect = Bun.connect as unknown as (options: object) => Promise<Bun.Socket>;
  return connect({ fd, allowHalfOpen: true, socket });
}
