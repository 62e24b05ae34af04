/** In each mode, each option has an effect or is an error, as its definition declares. */

import { describe, expect, test } from "bun:test";
import { type ListenChannelsOptions, readChannelOptions } from "../../src/options/channel-options.ts";
import type { OptionDefinition, Role, TunnelKind } from "../../src/options/definition.ts";
import { problemsAfterLookup } from "../../src/options/settings.ts";
import { OPTIONS } from "../../src/options/table.ts";
import { client, type Loose, problemsOf, server } from "./given.ts";

interface Mode {
  readonly kind: TunnelKind;
  readonly role: Role;
  readonly options: Loose;
}

const TARGETS = { unicast: "192.0.2.9/5000", "link-local": "fe80::9/5000", multicast: "224.2.0.1/5000" };
const ROLES: readonly Role[] = ["server", "client"];
const VARIANTS: readonly Loose[] = [
  {},
  { udpSendOnly: true },
  { udpReceiveOnly: true },
  { rtp: true },
  { once: true },
];

const MODES: readonly Mode[] = ROLES.flatMap((role) => [
  ...(["unicast", "link-local", "multicast"] as const).flatMap((kind) =>
    VARIANTS.map((variant) => ({ kind, role, options: { target: TARGETS[kind], ...variant } })),
  ),
  {
    kind: `session ${role}` as const,
    role,
    options: { target: TARGETS.unicast, perSource: true },
  },
]);

/** A valid value that is not the default, together with the options that it requires. */
function sampleOf(definition: OptionDefinition, { kind, role }: Mode): Loose {
  const literal = kind === "link-local" ? "fe80::2" : "192.0.2.1";
  const tls = { tls: true, ...(role === "server" && { cert: "a", key: "b" }) };
  switch (definition.key) {
    case "family":
      return { family: kind === "link-local" ? 6 : 4 };
    case "requireAuth":
      return { requireAuth: true, secret: "0123456789abcdef" };
    case "cert":
    case "key":
      return { tls: true, cert: "a", key: "b" };
    case "secret":
      return { secret: "0123456789abcdef" };
    case "pin":
      return { ...tls, pin: `sha256:${"0".repeat(64)}` };
  }
  if (definition.group === "Encryption")
    return { ...tls, [definition.key]: definition.kind === "flag" ? true : "x" };
  if (definition.kind === "flag") return { [definition.key]: true };
  if (definition.kind === "choice")
    return { [definition.key]: definition.choices.find((word) => word !== definition.default) };
  if ("min" in definition) return { [definition.key]: definition.max };
  return { [definition.key]: literal };
}

/** Other rules reject these options in every mode. */
const EXCLUDED = ["listen", "connect", "target", "perSource", "secretFile"];
const TESTED = OPTIONS.filter(({ cliOnly, key }) => !cliOnly && !EXCLUDED.includes(key));
const ONE_WAY = ["udpSendOnly", "udpReceiveOnly"];

describe.each(TESTED.map((definition) => [definition.name, definition] as const))(
  "%s",
  (_name, definition) => {
    test("has an effect in the modes that its definition declares, and is an error in the others", () => {
      for (const mode of MODES) {
        if (ONE_WAY.includes(definition.key) && ONE_WAY.some((key) => mode.options[key])) continue;
        const read = mode.role === "server" ? server : client;
        const sample = sampleOf(definition, mode);
        const problems = problemsOf(() => read({ ...mode.options, ...sample }));
        const { kinds = [mode.kind], notWith } = definition.scope ?? {};
        const effective =
          (definition.role ?? mode.role) === mode.role &&
          kinds.includes(mode.kind) &&
          !(notWith !== undefined && mode.options[notWith]);
        const where = JSON.stringify({ ...mode, sample });
        if (effective) {
          expect([where, problems]).toEqual([where, []]);
          const settings = read({ ...mode.options, ...sample }) as unknown as Loose;
          expect(settings[definition.key]).toBeDefined();
        } else {
          expect(
            problems.filter((problem) => problem.startsWith(`${definition.key}: `)),
            where,
          ).toHaveLength(1);
        }
      }
    });

    test("is accepted or rejected by channels", () => {
      for (const role of ROLES) {
        const ends = role === "server" ? { listen: 5000 } : { connect: "192.0.2.9/5000" };
        const sample = sampleOf(definition, { kind: `session ${role}`, role, options: {} });
        const given = { ...ends, ...sample };
        let settings: Loose = {};
        const problems = problemsOf(() => {
          settings = readChannelOptions(given as ListenChannelsOptions, role) as unknown as Loose;
        });
        if (problems.length === 0)
          expect(settings[definition.key]).toEqual(expectedOf(settings, definition, sample));
        else expect(problems.some((problem) => problem.startsWith(`${definition.key}: `))).toBe(true);
      }
    });
  },
);

/** Some values are kept in another form than the given one; they are compared with themselves. */
function expectedOf(settings: Loose, { key, kind }: OptionDefinition, sample: Loose): unknown {
  return kind === "secret" || kind === "network" ? settings[key] : sample[key];
}

test("only a client with perSource accepts a port in bind", () => {
  const bound = client({ perSource: true, bind: "127.0.0.2/6000" });
  expect([bound.bind, bound.bindPort]).toEqual(["127.0.0.2", 6000]);
  expect(client({ perSource: true, bind: { host: "::1", port: 0 }, target: "::1/5" }).bindPort).toBe(0);
  for (const read of [() => client({ bind: "a/6" }), () => server({ bind: "a/6", perSource: true })]) {
    expect(problemsOf(read)).toEqual([
      "bind: port 6 has an effect only at a client with perSource; give the address alone",
    ]);
  }
});

test("only the look-up of a host name shows whether it is a multicast group", () => {
  const problems = (options: Loose, address: string) =>
    problemsAfterLookup(server({ target: "name.example/5000", ...options }), address).map(
      ({ option }) => option,
    );
  expect(problems({ interface: "lo", source: "192.0.2.1", loop: true }, "224.2.0.1")).toEqual([]);
  expect(problems({ interface: "lo", source: "192.0.2.1", loop: true }, "192.0.2.1")).toEqual([
    "interface",
    "source",
    "loop",
  ]);
  expect(problems({ anySource: true }, "224.2.0.1")).toEqual(["anySource"]);
  expect(problems({ from: "192.0.2.1", rtp: true, once: true }, "192.0.2.1")).toEqual([]);
});

test("interface is rejected next to a zone in target", () => {
  expect(problemsOf(() => server({ target: "fe80::1%eth0/5000", interface: "eth1" }))).toEqual([
    'interface: does not go with the zone "%eth0" of target; give one of them',
  ]);
});
