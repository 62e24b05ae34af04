/**
 * What can be wrong with a tunnel as a whole. The code is the API; messages may change.
 *
 * - `ERR_OPTIONS`: the options are wrong; thrown before any socket is opened.
 * - `ERR_RESOLVE`: a name given for a UDP address, or for an address to listen on, has no address.
 * - `ERR_LISTEN`: the TCP port to listen on cannot be had, because it is in use, say.
 * - `ERR_UDP_BIND`: the UDP port cannot be had, or the multicast group cannot be joined.
 * - `ERR_DIAL`: the server cannot be reached or not be trusted, and the tunnel may not try again.
 * - `ERR_TLS`: a file with certificates or a key cannot be read, or holds something else.
 * - `ERR_PERMISSION`: the system refuses something that was asked for and needs a privilege.
 */
export type ErrorCode =
  | "ERR_OPTIONS"
  | "ERR_RESOLVE"
  | "ERR_LISTEN"
  | "ERR_UDP_BIND"
  | "ERR_DIAL"
  | "ERR_TLS"
  | "ERR_PERMISSION";

/** Every error this library throws on purpose. An error of the system that led to it is its `cause`. */
export class TunnelError extends Error {
  override readonly name: string = "TunnelError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** One thing that is wrong with the options. */
export interface OptionProblem {
  /** The option as its giver writes it: a library key such as `deadAfterMs`, or a flag such as `--dead-after`. */
  readonly option: string;
  /** What is wrong, with the offending text quoted, and what to give instead. */
  readonly problem: string;
}

/** All that is wrong with the options, found before anything was opened. The message has one line for each problem. */
export class OptionsError extends TunnelError {
  override readonly name = "OptionsError";
  readonly problems: readonly OptionProblem[];

  constructor(problems: readonly OptionProblem[]) {
    super("ERR_OPTIONS", problems.map(({ option, problem }) => `${option}: ${problem}`).join("\n"));
    this.problems = problems;
  }
}
