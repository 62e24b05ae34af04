/**
 * The errors of a tunnel or channel that cannot start. They get a code of this library, and advice where the
 * errno alone does not help.
 */

import { type ErrorCode, OptionsError, TunnelError } from "../errors.ts";
import { isMulticast } from "../net/endpoint.ts";
import { errorCode, networkFailure } from "../net/network.ts";
import type { NameOf } from "../observe/describe-event.ts";
import type { Settings } from "../options/settings.ts";

/** The settings of a tunnel, or of channels, which have no UDP port. */
type Given = Partial<Settings>;

/**
 * Makes a handler that wraps a `NetError` in a `TunnelError` with this code, or with ERR_PERMISSION when the
 * system denied a permission. It throws any other error unchanged.
 */
export function wrapNetError(code: ErrorCode): (error: unknown) => never {
  return (error) => {
    const { message } = networkFailure(error);
    const isDenied = ["EPERM", "EACCES"].includes(errorCode(error));
    throw new TunnelError(isDenied ? "ERR_PERMISSION" : code, message, { cause: error });
  };
}

/** Adds advice to the error of a failed start, if there is any. Options are spelt as the user writes them. */
export function withAdvice(error: unknown, settings: Given, nameOf: NameOf): unknown {
  if (error instanceof OptionsError) {
    return new OptionsError(error.problems.map((each) => ({ ...each, option: nameOf(each.option) })));
  }
  if (!(error instanceof TunnelError)) return error;
  const advice = adviceFor(error, settings, nameOf);
  if (advice === undefined) return error;
  return new TunnelError(error.code, `${error.message}; ${advice}`, { cause: error.cause });
}

/** IPv6 multicast of link-local scope (RFC 4291, section 2.7), without a zone. */
const LINK_LOCAL_GROUP = /^ff[0-9a-f]2:[^%]*$/i;

function adviceFor({ code, cause }: TunnelError, settings: Given, nameOf: NameOf): string | undefined {
  const isListener = code === "ERR_LISTEN";
  if (!isListener && code !== "ERR_UDP_BIND" && code !== "ERR_PERMISSION") return undefined;
  const bindOption = nameOf(isListener ? "listen" : "bind");
  switch (errorCode(cause)) {
    case "EADDRINUSE":
      return isListener
        ? `another program has that port: give another one with ${bindOption}, or end that program`
        : portInUse(settings, nameOf);
    case "EADDRNOTAVAIL":
      return `this host has no such address: give one of its own with ${bindOption}`;
    case "EACCES":
      return isPrivileged(settings)
        ? "ports below 1024 need a privilege: give a higher one, or run with CAP_NET_BIND_SERVICE"
        : undefined;
    case "ENODEV":
      return `give one of this host's interfaces with ${nameOf("interface")} (ip link lists them)`;
    case "EINVAL":
      return LINK_LOCAL_GROUP.test(settings.target?.host ?? "")
        ? `a group of link-local scope needs an interface: give it with ${nameOf("interface")}`
        : undefined;
    case "ENETUNREACH":
    case "EHOSTUNREACH":
      return "this host has no route to that address";
    default:
      return undefined;
  }
}

function portInUse(settings: Given, nameOf: NameOf): string {
  const { perSource, rtp, once, udpReceiveOnly, target } = settings;
  const bind = nameOf("bind");
  if (perSource)
    return `another program has that port: give another one, or another local address with ${bind}`;
  if (isMulticast(target?.host ?? ""))
    return "another program has that port, and does not share it: end that program";
  const cause = "another program has that port, possibly the one whose datagrams the tunnel should carry";
  const address = `another local address with ${bind} (such as 127.0.0.2) if that program uses only one`;
  const needsPeerMode = rtp || once || udpReceiveOnly;
  return needsPeerMode
    ? `${cause}: give ${address}`
    : `${cause}: give ${nameOf("perSource")} on both ends, or ${address}`;
}

function isPrivileged({ listen, target, bindPort }: Given): boolean {
  return [listen?.port, bindPort ?? target?.port].some(
    (port) => port !== undefined && port > 0 && port < 1024,
  );
}
