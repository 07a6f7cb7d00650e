/**
 * The version of a configuration: a record names by it under which settings its request was decided. It is a hash of the
 * settings alone. They name secrets and hold none, so a guess of a secret cannot be tested by it, and a secret that is replaced
 * under its name does not change it. Defaults are those of the code, which `worker_version` names.
 */
import type { Env } from "../../shared/config/environment.ts";
import { fromJson } from "../../shared/config/fields.ts";
import { BINDINGS, GATEWAY_SETTINGS } from "../../shared/config/unread-names.ts";
import { sha256Hex } from "../../shared/digest.ts";

/** 16 hex digits. */
export const configVersion = async (settings: string): Promise<string> =>
  (await sha256Hex(settings)).slice(0, 16);

/** The settings in one form, regardless of the order of their keys, and whether they are tables or JSON texts. */
export function canonicalSettings(env: Env): string {
  const settings = GATEWAY_SETTINGS.flatMap((name) =>
    env[name] === undefined ? [] : [[name, fromJson(env[name])]],
  );
  // A deployed version has this one anew each time.
  const bound = BINDINGS.filter((name) => name !== "CF_VERSION_METADATA" && env[name] != null);
  return JSON.stringify([settings, bound], sortKeys);
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
