/** The framing alone, for programs with sockets of their own. Pure: no sockets, no clock, no timers. */
export { FrameDecoder } from "./frame-decoder.ts";
export { FrameQueue, type FrameQueueLimits } from "./frame-queue.ts";
export {
  encodeFrame,
  HEADER_BYTES,
  PAYLOAD_BYTES_MAX,
  UDP4_PAYLOAD_BYTES_MAX,
  UDP6_PAYLOAD_BYTES_MAX,
} from "./header.ts";
