/**
 * Rules about options in combination. Each rule sees only values that are valid on their own, so all problems
 * show at once. A rule about missing options also sees the keys of invalid ones, which are not missing.
 */

import type { OptionProblem } from "../errors.ts";
import { familyOf, isMulticast, unmapped } from "../net/endpoint.ts";
import { type HostPort, isLiteral } from "./address.ts";
import type { Role } from "./definition.ts";
import type { OptionKey, OptionValues } from "./table.ts";

type Values = Partial<OptionValues>;
type NameOf = (key: OptionKey) => string;
type Rule = (
  values: Values,
  nameOf: NameOf,
  role: Role | undefined,
  invalid: ReadonlySet<string>,
) => Iterable<OptionProblem>;

/**
 * All problems of the values in combination.
 *
 * @param invalid the keys of the options whose values are invalid and therefore not in `values`.
 */
export function ruleProblems(
  values: Values,
  nameOf: NameOf,
  role: Role | undefined,
  invalid: ReadonlySet<string>,
): OptionProblem[] {
  return RULES.flatMap((rule) => [...rule(values, nameOf, role, invalid)]);
}

const RULES: readonly Rule[] = [
  portProblems,
  oneWayProblems,
  rtpProblems,
  groupProblems,
  bindProblems,
  interfaceProblems,
  sourceProblems,
  secretProblems,
  requireAuthProblems,
  familyProblems,
  tlsProblems,
];

/**
 * Whether clients must authenticate. An allowed address does not authenticate: it can be shared, taken over
 * or forged.
 */
export function authenticates(values: { readonly [Key in (typeof CREDENTIALS)[number]]?: unknown }): boolean {
  return CREDENTIALS.some((key) => values[key] !== undefined);
}

const CREDENTIALS = ["clientCa", "secretFile", "secret"] as const;

function* secretProblems({ secret, secretFile }: Values, nameOf: NameOf): Generator<OptionProblem> {
  if (secret === undefined || secretFile === undefined) return;
  yield {
    option: nameOf("secretFile"),
    problem: `does not go with ${nameOf("secret")}; give one of them`,
  };
}

function* requireAuthProblems(
  values: Values,
  nameOf: NameOf,
  _role: Role | undefined,
  invalid: ReadonlySet<string>,
): Generator<OptionProblem> {
  if (!values.requireAuth || authenticates(values)) return;
  if (CREDENTIALS.some((key) => invalid.has(key))) return;
  const [clientCa, secretFile, secret] = CREDENTIALS.map(nameOf);
  const advice = `give ${clientCa}, ${secretFile} or ${secret} (${nameOf("allow")} does not count)`;
  const problem = `requires clients to authenticate; ${advice}`;
  yield { option: nameOf("requireAuth"), problem };
}

/** Port 0 lets the system choose a port. That works only for a port that the caller alone must know. */
function* portProblems(
  { target, connect, perSource }: Values,
  nameOf: NameOf,
  role: Role | undefined,
): Generator<OptionProblem> {
  if (target?.port !== 0) return;
  if (perSource !== true || role !== "client") {
    const exception = `0 is allowed only where a client with ${nameOf("perSource")} listens`;
    const problem = `port 0 cannot be sent to; give 1 to 65535 (${exception})`;
    yield { option: nameOf("target"), problem };
  } else if (connect?.some(({ port }) => port === undefined)) {
    yield {
      option: nameOf("connect"),
      problem: `has no port, and the port of ${nameOf("target")} is 0; give the server's port`,
    };
  }
}

function* oneWayProblems({ udpSendOnly, udpReceiveOnly }: Values, nameOf: NameOf): Generator<OptionProblem> {
  if (!udpSendOnly || !udpReceiveOnly) return;
  const problem = `with ${nameOf("udpReceiveOnly")}, nothing would be relayed; give one of them`;
  yield { option: nameOf("udpSendOnly"), problem };
}

function* rtpProblems({ rtp, listen, connect, target }: Values, nameOf: NameOf): Generator<OptionProblem> {
  if (!rtp) return;
  const places = [
    ["listen", listen],
    ["target", target],
    ...(connect ?? []).map((server) => ["connect", server] as const),
  ] as const;
  for (const [key, place] of places) {
    const port = place?.port;
    if (port === undefined || (port !== 0 && port % 2 === 0)) continue;
    const why = port === 0 ? "port 0 has no fixed neighbour" : `port ${port} is odd`;
    const problem = `${why}; with ${nameOf("rtp")} ports N and N+1 are used, so give an even one`;
    yield { option: nameOf(key), problem };
  }
}

/** A host name passes: only its look-up shows whether it is a multicast group. */
function* groupProblems({ perSource, target }: Values, nameOf: NameOf): Generator<OptionProblem> {
  const { host = "" } = target ?? {};
  if (!perSource || !isMulticast(host)) return;
  const why = `is a multicast group, which does not go with ${nameOf("perSource")}`;
  const problem = `"${host}" ${why}; give a unicast address`;
  yield { option: nameOf("target"), problem };
}

/** Only a client with `perSource` has a port here. In every other tunnel, the target gives the port. */
function* bindProblems(
  { bind, perSource }: Values,
  nameOf: NameOf,
  role: Role | undefined,
): Generator<OptionProblem> {
  if (bind?.port === undefined || (perSource && role !== "server")) return;
  const why = `has an effect only at a client with ${nameOf("perSource")}`;
  const problem = `port ${bind.port} ${why}; give the address alone`;
  yield { option: nameOf("bind"), problem };
}

/** The zone of a link-local target also names an interface. */
function* interfaceProblems({ interface: wanted, target }: Values, nameOf: NameOf): Generator<OptionProblem> {
  const zone = /%(.*)$/.exec(target?.host ?? "")?.[1];
  if (wanted === undefined || zone === undefined) return;
  const problem = `does not go with the zone "%${zone}" of ${nameOf("target")}; give one of them`;
  yield { option: nameOf("interface"), problem };
}

function* sourceProblems({ anySource, from }: Values, nameOf: NameOf): Generator<OptionProblem> {
  if (!anySource || from === undefined || from.length === 0) return;
  yield { option: nameOf("from"), problem: `adds nothing to ${nameOf("anySource")}; leave one of them out` };
}

function* familyProblems(values: Values, nameOf: NameOf): Generator<OptionProblem> {
  const { family, bind, tcpBind } = values;
  const udp = literals("target", [values.target]);
  const tcp = literals("connect", values.connect ?? []);
  const named = [
    ...literals("listen", [values.listen]),
    ...tcp,
    ...udp,
    ...literals("bind", [bind]),
    ...literal("tcpBind", tcpBind),
  ];
  for (const [key, host] of family === undefined ? [] : named) {
    if (literalFamily(host) === family) continue;
    const why = `is not an IPv${family} address, and ${nameOf("family")} allows no other`;
    const problem = `"${host}" ${why}; change one of them`;
    yield { option: nameOf(key), problem };
  }
  if (family !== undefined) return;
  yield* mismatches(
    [...literals("bind", [bind]), ...(values.source ?? []).flatMap((source) => literal("source", source))],
    udp,
    nameOf,
  );
  yield* mismatches(literal("tcpBind", tcpBind), tcp, nameOf);
}

const NEED_TLS = ["cert", "key", "ca", "pin", "sni", "clientCa"] as const;

function* tlsProblems(
  values: Values,
  nameOf: NameOf,
  role: Role | undefined,
  invalid: ReadonlySet<string>,
): Generator<OptionProblem> {
  if (!values.tls) {
    for (const key of NEED_TLS) {
      if (values[key] === undefined) continue;
      yield { option: nameOf(key), problem: `needs ${nameOf("tls")}; give both, or neither` };
    }
    return;
  }
  for (const [key, other] of [["cert", "key"] as const, ["key", "cert"] as const]) {
    if (values[key] !== undefined || invalid.has(key)) continue;
    if (role !== "server" && values[other] === undefined) continue;
    const why = role === "server" ? `a server with ${nameOf("tls")} needs it` : `${nameOf(other)} needs it`;
    yield { option: nameOf(key), problem: `is missing, and ${why}; give a file` };
  }
  if (values.ca === undefined || values.pin === undefined) return;
  yield { option: nameOf("ca"), problem: `does not go with ${nameOf("pin")}; leave one of them out` };
}

type Named = readonly [key: OptionKey, host: string];

/** A local address or a multicast sender must be of the same family as the remote addresses. */
function* mismatches(
  local: readonly Named[],
  remote: readonly Named[],
  nameOf: NameOf,
): Generator<OptionProblem> {
  for (const [key, host] of local) {
    const other = remote.find(([, address]) => literalFamily(address) !== literalFamily(host));
    if (other === undefined) continue;
    const problem =
      `"${host}" and ${nameOf(other[0])} "${other[1]}" are of different families; ` +
      "give both as IPv4 or both as IPv6";
    yield { option: nameOf(key), problem };
  }
}

/** The host with its option's key if it is a literal, because a name may have addresses of both families. */
function literal(key: OptionKey, host: string | undefined): Named[] {
  return host !== undefined && isLiteral(host) ? [[key, host]] : [];
}

function literals(key: OptionKey, places: readonly (HostPort | undefined)[]): Named[] {
  return places.flatMap((place) => literal(key, place?.host));
}

function literalFamily(host: string): 4 | 6 {
  return familyOf(unmapped(host));
}
