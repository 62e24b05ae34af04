/** The tunnels to run, and what changes when a new plan replaces the running tunnels. */

import { isDeepStrictEqual } from "node:util";
import type { Settings } from "../options/settings.ts";

/** A tunnel to run. */
export interface TunnelPlan {
  /** The unique name in logs and metrics: letters, digits, `_`, `-` and `.`. */
  readonly name: string;
  readonly settings: Settings;
}

/** How the running tunnels must change to match new plans. */
export interface Changes {
  /** Names of tunnels that continue unchanged. */
  readonly kept: readonly string[];
  /** Names of tunnels to close. */
  readonly removed: readonly string[];
  /** Tunnels to restart with new settings. */
  readonly changed: readonly TunnelPlan[];
  /** Tunnels to start. */
  readonly added: readonly TunnelPlan[];
}

/**
 * Compares the running tunnels (settings by name) with the plans. Settings are compared by value. An object
 * that hides its value, such as a secret, is compared by its method `equals`; without that method it counts
 * as different.
 */
export function changesBetween(
  running: ReadonlyMap<string, Settings>,
  plans: readonly TunnelPlan[],
): Changes {
  const changeOf = ({ name, settings }: TunnelPlan) => {
    const before = running.get(name);
    if (before === undefined) return "added";
    return isSame(before, settings) ? "kept" : "changed";
  };
  const { kept = [], changed = [], added = [] } = Object.groupBy(plans, changeOf);
  const planned = new Set(plans.map(({ name }) => name));
  const removed = [...running.keys()].filter((name) => !planned.has(name));
  return { kept: kept.map(({ name }) => name), removed, changed, added };
}

function isSame(before: Settings, after: Settings): boolean {
  const [a, b] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  return [...new Set([...a.keys(), ...b.keys()])].every((key) => isSameValue(a.get(key), b.get(key)));
}

function isSameValue(a: unknown, b: unknown): boolean {
  if (!isOpaque(a)) return isDeepStrictEqual(a, b);
  return "equals" in a && typeof a.equals === "function" && a.equals(b) === true;
}

/** An instance of a class may hide its value from a deep comparison. */
function isOpaque(value: unknown): value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.getPrototypeOf(value) !== Object.prototype;
}
