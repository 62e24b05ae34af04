import type { Endpoint } from "../../src/net/endpoint.ts";

/**
 * Reads `ADDRESS:PORT`, with brackets around an IPv6 address.
 *
 * @throws Error that quotes what it cannot read.
 */
export function parseEndpoint(text: string): Endpoint {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain;
  if (address === undefined || Number(port) > 65_535) throw new Error(`"${text}" is not ADDRESS:PORT`);
  return { address, port: Number(port) };
}
