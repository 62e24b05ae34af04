/** Options for packets on the network, and options of the program, which concern the whole process. */

import type { OptionDefinition } from "../definition.ts";

export const NETWORK_OPTIONS = [
  {
    name: "offload",
    key: "offload",
    kind: "choice",
    argument: "auto|off",
    choices: ["auto", "off"],
    default: "auto",
    group: "Network and system",
    help:
      "Pass many datagrams to the kernel in one call, and let it merge received ones (auto, Linux only), or " +
      "pass them one by one.",
  },
  {
    name: "tos",
    key: "tos",
    kind: "tos",
    argument: "N|NAME",
    min: 0,
    max: 255,
    group: "Network and system",
    help:
      "The traffic class of UDP and TCP packets: the whole byte, or a DSCP name such as EF, AF41, CS5 or " +
      "LE.",
  },
  {
    name: "mark",
    key: "mark",
    kind: "integer",
    argument: "N",
    min: 1,
    max: 0xffff_ffff,
    group: "Network and system",
    help:
      "Mark the packets of every socket (Linux SO_MARK), so that routing can separate them from the " +
      "packets of a VPN inside the tunnel. Name look-ups are not marked.",
  },
] as const satisfies readonly OptionDefinition[];

export const PROGRAM_OPTIONS = [
  {
    name: "config",
    key: "config",
    kind: "text",
    argument: "FILE",
    group: "Program",
    cliOnly: true,
    help:
      "Run the tunnels of this TOML file, and read it again at SIGHUP. Options of tunnels then belong in " +
      "the file.",
  },
  {
    name: "check",
    key: "check",
    kind: "flag",
    group: "Program",
    cliOnly: true,
    help:
      "Start nothing. Report every problem of the options or the file. If there is none, list the " +
      "tunnels.",
  },
  {
    name: "log",
    key: "log",
    kind: "choice",
    argument: "text|json",
    choices: ["text", "json"],
    default: "text",
    group: "Program",
    cliOnly: true,
    help: "Write logs as text, or as one JSON object a line.",
  },
  {
    name: "redact",
    key: "redact",
    kind: "flag",
    group: "Program",
    cliOnly: true,
    help: "Hide addresses and host names in all output.",
  },
  {
    name: "metrics",
    key: "metrics",
    kind: "endpoint",
    form: { hostOptional: true },
    argument: "[ADDR/]PORT",
    group: "Program",
    cliOnly: true,
    help:
      "Serve Prometheus metrics at /metrics, health at /healthz and JSON at /stats, over HTTP. Without an " +
      "address, on loopback (127.0.0.1 and ::1).",
  },
  {
    name: "status",
    key: "status",
    kind: "flag",
    group: "Program",
    cliOnly: true,
    help: "Show state, rates, drops and delay on stderr: live on a terminal, otherwise one line every 5 s.",
  },
  {
    name: "verbose",
    key: "verbosity",
    short: "v",
    kind: "count",
    group: "Program",
    cliOnly: true,
    help: "Log connections on stderr; -vv logs each datagram, too.",
    usual: "log connections; -vv: each datagram, too",
  },
  {
    name: "help",
    key: "help",
    short: "h",
    kind: "flag",
    group: "Program",
    cliOnly: true,
    help: "Show help: -h the usual options, --help all of them.",
    usual: "show this; --help shows every option",
  },
  {
    name: "version",
    key: "version",
    short: "V",
    kind: "flag",
    group: "Program",
    cliOnly: true,
    help: "Show the version.",
  },
] as const satisfies readonly OptionDefinition[];
