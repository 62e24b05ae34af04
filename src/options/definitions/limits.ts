/** Options that limit time, memory and the number of sessions. */

import { type OptionDefinition, SESSIONS } from "../definition.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

const SECONDS = ["seconds", "milliseconds"] as const;
const BYTES = ["bytes", "bytes"] as const;

export const LIMIT_OPTIONS = [
  {
    name: "dead-after",
    key: "deadAfterMs",
    kind: "duration",
    argument: "SECONDS",
    unit: SECONDS,
    scale: 1000,
    default: 15_000,
    min: 2000, // TCP probes an idle peer at most once a second, and one lost probe proves nothing
    max: 3_600_000,
    group: "Connections and sessions",
    help: "Close a connection whose peer has been silent, or has read nothing, for this long.",
    usual: "notice a dead peer within this time (15)",
  },
  {
    name: "idle",
    key: "idleTimeoutMs",
    scope: { kinds: SESSIONS },
    kind: "duration",
    argument: "SECONDS",
    unit: SECONDS,
    scale: 1000,
    default: 180_000,
    min: 0,
    max: 604_800_000,
    group: "Connections and sessions",
    help: "With -p, close a session without traffic in either direction for this long; 0 means never.",
  },
  {
    name: "max-sessions",
    key: "maxSessions",
    scope: { kinds: SESSIONS },
    kind: "integer",
    argument: "N",
    default: 8192,
    min: 1,
    max: 1_000_000,
    group: "Connections and sessions",
    help: "With -p, allow at most this many sessions at once.",
  },
  {
    name: "max-sessions-per-address",
    key: "maxSessionsPerAddress",
    scope: { kinds: ["session server"] },
    kind: "integer",
    argument: "N",
    defaultText: "as --max-sessions",
    min: 1,
    max: 1_000_000,
    group: "Connections and sessions",
    role: "server",
    help: "With -p, allow one TCP address at most this many sessions at once.",
  },
  {
    name: "max-delay",
    key: "maxDelayMs",
    kind: "duration",
    argument: "MS",
    unit: ["milliseconds", "milliseconds"],
    default: 200,
    min: 0,
    max: 600_000,
    group: "Delay and memory",
    help: "Drop a datagram that has waited this long for the TCP connection; 0 means no limit.",
    usual: "drop datagrams that waited this long (200)",
  },
  {
    name: "queue",
    key: "queueBytesMax",
    kind: "bytes",
    argument: "BYTES",
    unit: BYTES,
    default: 4 * MIB,
    min: 128 * KIB,
    max: GIB,
    group: "Delay and memory",
    help:
      "Queue at most this much for one TCP connection; when it is full, drop the oldest datagrams. " +
      "Suffixes: k, M (1000), KiB, MiB (1024).",
  },
  {
    name: "unsent",
    key: "unsentBytesMax",
    kind: "bytes",
    argument: "BYTES",
    unit: BYTES,
    defaultText: "automatic",
    min: 4 * KIB,
    max: GIB,
    group: "Delay and memory",
    help: "Let the kernel hold at most this much unsent data of a TCP connection.",
  },
  {
    name: "in-flight",
    key: "inFlight",
    kind: "choice",
    argument: "auto|kernel",
    choices: ["auto", "kernel"],
    default: "auto",
    group: "Delay and memory",
    help: "Limit the data in flight to what the path carries (auto, Linux only), or leave it to the kernel.",
  },
  {
    name: "socket-buffer",
    key: "socketBufferBytes",
    kind: "bytes",
    argument: "BYTES",
    unit: BYTES,
    default: 4 * MIB,
    min: 4 * KIB,
    max: GIB,
    group: "Delay and memory",
    help: "Size of the UDP socket's buffers in the kernel, which absorb bursts. The kernel may grant less.",
  },
] as const satisfies readonly OptionDefinition[];
