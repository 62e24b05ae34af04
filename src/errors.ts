/**
 * Why a tunnel cannot start or run. Programs rely on the code; messages may change.
 *
 * - `ERR_OPTIONS`: the options have problems; thrown before any socket is opened.
 * - `ERR_RESOLVE`: the host name of a UDP address, or of an address to listen on, has no address.
 * - `ERR_LISTEN`: listening on the TCP port failed, for example because the port is in use.
 * - `ERR_UDP_BIND`: binding the UDP port or joining the multicast group failed.
 * - `ERR_DIAL`: the server cannot be reached or is not trusted, and the tunnel does not retry.
 * - `ERR_TLS`: a file with certificates or a key cannot be read or used.
 * - `ERR_PERMISSION`: an option needs a privilege that the process lacks.
 */
export type ErrorCode =
  | "ERR_OPTIONS"
  | "ERR_RESOLVE"
  | "ERR_LISTEN"
  | "ERR_UDP_BIND"
  | "ERR_DIAL"
  | "ERR_TLS"
  | "ERR_PERMISSION";

/** Every error that this library throws on purpose. `cause` is the system's error, if there is one. */
export class TunnelError extends Error {
  override readonly name: string = "TunnelError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** One problem of the options. */
export interface OptionProblem {
  /**
   * The option as the user spells it: a library key such as `deadAfterMs`, or a flag such as `--dead-after`.
   */
  readonly option: string;
  /** What is wrong, with the value quoted, and what is allowed. */
  readonly problem: string;
}

/**
 * All problems of the options, found before any socket is opened. The message has one line for each problem.
 */
export class OptionsError extends TunnelError {
  override readonly name = "OptionsError";
  readonly problems: readonly OptionProblem[];

  constructor(problems: readonly OptionProblem[]) {
    super("ERR_OPTIONS", problems.map(({ option, problem }) => `${option}: ${problem}`).join("\n"));
    this.problems = problems;
  }
}
