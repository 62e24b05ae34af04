/**
 * The public interface of the library; docs/api.md has an example of every export.
 *
 * - {@link startServer} and {@link startClient} start a {@link Tunnel}.
 * - {@link dialChannel} and {@link listenChannels} open a {@link DatagramChannel}: one end of a tunnel
 *   without UDP.
 * - {@link FrameDecoder}, {@link FrameQueue} and {@link encodeFrame} are the framing alone.
 */

export type { ChannelEnd, ChannelStats, DatagramChannel } from "./channel/datagram-channel.ts";
export { type ChannelExtras, dialChannel } from "./channel/dial-channel.ts";
export { type ChannelServer, listenChannels, type OnChannel } from "./channel/listen-channels.ts";
export { type ErrorCode, type OptionProblem, OptionsError, TunnelError } from "./errors.ts";
export * from "./framing/index.ts";
export type { Endpoint } from "./net/endpoint.ts";
export type { SystemReport } from "./net/network.ts";
export type { TlsCode } from "./net/tls/tls-failure.ts";
export {
  type AuthFailureReason,
  type Counters,
  type DirectionCounters,
  DROP_REASONS,
  type DropReason,
} from "./observe/counters.ts";
export type {
  DisconnectReason,
  EventLevel,
  EventListener,
  RejectReason,
  TargetSwitchReason,
  TunnelEvent,
} from "./observe/events.ts";
export type { DelayStats, DirectionStats, StreamStats, TunnelState, TunnelStats } from "./observe/stats.ts";
export type { DialChannelOptions, ListenChannelsOptions } from "./options/channel-options.ts";
export type {
  BindAddress,
  ClientOptions,
  ConnectAddress,
  ListenAddress,
  ServerOptions,
  TargetAddress,
  TunnelOptions,
} from "./options/tunnel-options.ts";
export { type StartExtras, startClient, startServer } from "./tunnel/start.ts";
export type { Trace, Tunnel, TunnelEventMap } from "./tunnel/tunnel.ts";
