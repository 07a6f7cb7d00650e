/**
 * The version of a configuration: a record names by it under which settings its request was decided. It is a hash of the
 * settings alone. They name secrets and hold none, so a guess of a secret cannot be tested by it, and a secret that is replaced
 * under its name does not change it. Defaults are those of the code, which `worker_version` names.
 */
import { sha256Hex } from "../digest.ts";
import { fromJson } from "./fields.ts";
import { BINDINGS, GATEWAY_SETTINGS } from "./unread-names.ts";

/** 16 hex digits. */
export const configVersion = async (settings: string): Promise<string> =>
  (await sha256Hex(settings)).slice(0, 16);

/**
 * The gateway's settings in one form, regardless of the order of their keys, and whether they are tables or JSON texts.
 * `value`: of a variable or binding.
 */
export function canonicalSettings(value: (name: string) => unknown): string {
  const settings = GATEWAY_SETTINGS.flatMap((name) =>
    value(name) === undefined ? [] : [[name, fromJson(value(name))]],
  );
  // A deployed version has this one anew each time.
  const bound = BINDINGS.filter((name) => name !== "CF_VERSION_METADATA" && value(name) != null);
  return JSON.stringify([settings, bound], sortKeys);
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
