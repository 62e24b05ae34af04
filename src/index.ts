/** udptunnel as a library. */

export { type ErrorCode, type OptionProblem, OptionsError, TunnelError } from "./errors.ts";
export * from "./framing/index.ts";
export type { Endpoint } from "./net/endpoint.ts";
export type { TlsCode } from "./net/tls/tls-failure.ts";
export { type Counters, type DirectionCounters, DROP_REASONS, type DropReason } from "./observe/counters.ts";
export type { DisconnectReason, EventLevel, RefusalReason, TunnelEvent } from "./observe/events.ts";
export type { ClientOptions, ServerOptions } from "./options/tunnel-options.ts";
export { type StartExtras, startClient, startServer } from "./tunnel/start.ts";
export type { Trace, Tunnel } from "./tunnel/tunnel.ts";
