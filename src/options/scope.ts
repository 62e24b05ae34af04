/**
 * Rejects options that have no effect in a tunnel. The definition of an option declares where the option has
 * one.
 */

import type { OptionProblem } from "../errors.ts";
import { isLinkLocal6, isMulticast } from "../net/endpoint.ts";
import { isLiteral } from "./address.ts";
import { type OptionDefinition, PEER, type Role, SESSIONS, type TunnelKind } from "./definition.ts";
import { quoted } from "./message-text.ts";
import type { OptionKey, OptionValues } from "./table.ts";

type Values = Partial<OptionValues>;
type NameOf = (key: OptionKey) => string;

/**
 * The possible kinds of a tunnel with these values. Only a look-up shows whether a host name is a multicast
 * group.
 */
function kindsOf({ perSource, target }: Values, role: Role | undefined): readonly TunnelKind[] {
  if (perSource) return role === undefined ? SESSIONS : [`session ${role}`];
  const host = target?.host;
  if (host === undefined || !isLiteral(host)) return PEER;
  if (isMulticast(host)) return ["multicast"];
  return [isLinkLocal6(host) ? "link-local" : "unicast"];
}

/** A problem for each given option that has no effect. */
export function* scopeProblems(
  given: readonly OptionDefinition[],
  values: Values,
  nameOf: NameOf,
  role: Role | undefined,
): Generator<OptionProblem> {
  const kinds = kindsOf(values, role);
  for (const { key, scope } of given) {
    if (scope === undefined) continue;
    const option = nameOf(key as OptionKey);
    const { notWith, kinds: effective = kinds } = scope;
    if (!kinds.some((kind) => effective.includes(kind))) {
      yield { option, problem: whyNot(effective, kinds, values, nameOf) };
    } else if (notWith !== undefined && values[notWith] === true) {
      yield { option, problem: `has no effect with ${nameOf(notWith)}; leave one of them out` };
    }
  }
}

function whyNot(
  effective: readonly TunnelKind[],
  kinds: readonly TunnelKind[],
  { target }: Values,
  nameOf: NameOf,
): string {
  const perSource = nameOf("perSource");
  const isSession = (kind: TunnelKind) => SESSIONS.some((other) => other === kind);
  if (kinds.every(isSession)) {
    return effective.some(isSession)
      ? `has no effect at this end with ${perSource}; leave it out`
      : `does not go with ${perSource}; leave one of them out`;
  }
  if (effective.every(isSession)) return `needs ${perSource}; give both, or neither`;
  // These texts name no other option: after a look-up `nameOf` gives the library's keys to every reader.
  const host = quoted(target?.host);
  if (!effective.includes("multicast"))
    return `has no effect on multicast, and ${host} is a multicast group; leave it out`;
  return effective.includes("link-local")
    ? `is for multicast groups and link-local addresses, and ${host} is neither; leave it out`
    : `is for multicast, and ${host} is not a multicast group; leave it out, or give a multicast address`;
}
