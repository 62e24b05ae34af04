/** What the options must be together. Each rule looks at the values that are right in themselves, so that all problems show at once. */

import type { OptionProblem } from "../errors.ts";
import { familyOf, isMulticast, unmapped } from "../net/endpoint.ts";
import { type HostPort, isLiteral } from "./address.ts";
import type { Role } from "./definition.ts";
import type { OptionKey, OptionValues } from "./table.ts";

type Values = Partial<OptionValues>;
type NameOf = (key: OptionKey) => string;
type Rule = (values: Values, nameOf: NameOf, role: Role | undefined) => Iterable<OptionProblem>;

/** Every problem that the values have with each other. */
export function ruleProblems(values: Values, nameOf: NameOf, role: Role | undefined): OptionProblem[] {
  return RULES.flatMap((rule) => [...rule(values, nameOf, role)]);
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

/** Whether whoever connects must prove to be one of us. An address is no proof: it can be shared, taken over or forged. */
export function authenticates({ secret, secretFile, clientCa }: Proofs): boolean {
  return [secret, secretFile, clientCa].some((proof) => proof !== undefined);
}

interface Proofs {
  readonly secret?: unknown;
  readonly secretFile?: unknown;
  readonly clientCa?: unknown;
}

function* secretProblems({ secret, secretFile }: Values, nameOf: NameOf): Generator<OptionProblem> {
  if (secret === undefined || secretFile === undefined) return;
  yield {
    option: nameOf("secretFile"),
    problem: `is a second secret beside ${nameOf("secret")}; give one of them`,
  };
}

function* requireAuthProblems(values: Values, nameOf: NameOf): Generator<OptionProblem> {
  if (!values.requireAuth || authenticates(values)) return;
  const problem = `needs clients to prove themselves; give ${nameOf("clientCa")} or ${nameOf("secretFile")} (addresses prove nothing)`;
  yield { option: nameOf("requireAuth"), problem };
}

/** Port 0 lets the system choose, which works only where nobody but the caller must know the port. */
function* portProblems(
  { target, connect, perSource }: Values,
  nameOf: NameOf,
  role: Role | undefined,
): Generator<OptionProblem> {
  if (target?.port !== 0) return;
  if (perSource !== true || role !== "client") {
    const problem = `port 0 cannot be sent to; give 1 to 65535 (0 only where a client with ${nameOf("perSource")} listens)`;
    yield { option: nameOf("target"), problem };
  } else if (connect?.some(({ port }) => port === undefined)) {
    yield {
      option: nameOf("connect"),
      problem: `has no port, and that of ${nameOf("target")} is 0; give the server's port`,
    };
  }
}

function* oneWayProblems({ udpSendOnly, udpReceiveOnly }: Values, nameOf: NameOf): Generator<OptionProblem> {
  if (!udpSendOnly || !udpReceiveOnly) return;
  const problem = `with ${nameOf("udpReceiveOnly")} nothing would be relayed; give one of them`;
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

/** Names pass here: only a look-up can tell whether a name stands for a group. */
function* groupProblems({ perSource, target }: Values, nameOf: NameOf): Generator<OptionProblem> {
  const { host = "" } = target ?? {};
  if (!perSource || !isMulticast(host)) return;
  const problem = `"${host}" is a multicast group, which does not go with ${nameOf("perSource")}; give a unicast address`;
  yield { option: nameOf("target"), problem };
}

/** A client with `perSource` listens on this port. In every other tunnel the target gives the port. */
function* bindProblems(
  { bind, perSource }: Values,
  nameOf: NameOf,
  role: Role | undefined,
): Generator<OptionProblem> {
  if (bind?.port === undefined || (perSource && role !== "server")) return;
  const problem = `port ${bind.port} has an effect only at a client with ${nameOf("perSource")}; give the address alone`;
  yield { option: nameOf("bind"), problem };
}

/** A zone names the interface, too. */
function* interfaceProblems({ interface: wanted, target }: Values, nameOf: NameOf): Generator<OptionProblem> {
  const zone = /%(.*)$/.exec(target?.host ?? "")?.[1];
  if (wanted === undefined || zone === undefined) return;
  const problem = `is a second interface beside "%${zone}" in ${nameOf("target")}; give one of them`;
  yield { option: nameOf("interface"), problem };
}

function* sourceProblems({ anySource, from }: Values, nameOf: NameOf): Generator<OptionProblem> {
  if (!anySource || from === undefined || from.length === 0) return;
  yield { option: nameOf("from"), problem: `adds nothing to ${nameOf("anySource")}; leave one of them out` };
}

function* familyProblems(values: Values, nameOf: NameOf): Generator<OptionProblem> {
  const { family, bind, tcpBind } = values;
  const udp = hostsOf("target", [values.target]);
  const tcp = hostsOf("connect", values.connect ?? []);
  const named = [
    ...hostsOf("listen", [values.listen]),
    ...tcp,
    ...udp,
    ...hostsOf("bind", [bind]),
    ...texts("tcpBind", tcpBind),
  ];
  for (const [key, host] of family === undefined ? [] : named) {
    if (literalFamily(host) === family) continue;
    const problem = `"${host}" is not an IPv${family} address, and ${nameOf("family")} allows no other; change one of them`;
    yield { option: nameOf(key), problem };
  }
  if (family !== undefined) return;
  yield* mismatches(
    [...hostsOf("bind", [bind]), ...(values.source ?? []).flatMap((source) => texts("source", source))],
    udp,
    nameOf,
  );
  yield* mismatches(texts("tcpBind", tcpBind), tcp, nameOf);
}

const OF_TLS = ["cert", "key", "ca", "pin", "sni", "clientCa"] as const;

function* tlsProblems(values: Values, nameOf: NameOf, role: Role | undefined): Generator<OptionProblem> {
  if (!values.tls) {
    for (const key of OF_TLS) {
      if (values[key] === undefined) continue;
      yield { option: nameOf(key), problem: `needs ${nameOf("tls")}; give both, or neither` };
    }
    return;
  }
  for (const [key, other] of [["cert", "key"] as const, ["key", "cert"] as const]) {
    if (values[key] !== undefined || (role !== "server" && values[other] === undefined)) continue;
    const why = role === "server" ? `a server with ${nameOf("tls")} needs it` : `${nameOf(other)} needs it`;
    yield { option: nameOf(key), problem: `is missing, and ${why}; give a file` };
  }
  if (values.ca === undefined || values.pin === undefined) return;
  yield { option: nameOf("ca"), problem: `does not go with ${nameOf("pin")}; leave one of them out` };
}

type Named = readonly [key: OptionKey, host: string];

/** A local address, or a sender's, of the one family and a remote address of the other never meet. */
function* mismatches(
  near: readonly Named[],
  far: readonly Named[],
  nameOf: NameOf,
): Generator<OptionProblem> {
  for (const [key, host] of near) {
    const other = far.find(([, remote]) => literalFamily(remote) !== literalFamily(host));
    if (other === undefined) continue;
    const problem = `"${host}" and ${nameOf(other[0])} "${other[1]}" are of different families; give both as IPv4 or both as IPv6`;
    yield { option: nameOf(key), problem };
  }
}

/** The host under its option's key, if it is a literal: a name may have addresses of both families. */
function texts(key: OptionKey, host: string | undefined): Named[] {
  return host !== undefined && isLiteral(host) ? [[key, host]] : [];
}

function hostsOf(key: OptionKey, places: readonly (HostPort | undefined)[]): Named[] {
  return places.flatMap((place) => texts(key, place?.host));
}

function literalFamily(host: string): 4 | 6 {
  return familyOf(unmapped(host));
}
