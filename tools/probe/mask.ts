/** Removes secrets, host names and addresses from a text that is to be published. */
import { isIP } from "node:net";
import { WORKERS_ADDRESS } from "./measurements/headers.ts";

export type Masked = {
  readonly secrets: readonly string[];
  /** Host names and their replacements. */
  readonly hosts: readonly (readonly [host: string, name: string])[];
};

export function mask(text: string, { secrets, hosts }: Masked): string {
  const withoutSecrets = secrets
    .filter((secret) => secret !== "")
    .reduce((rest, secret) => rest.replaceAll(secret, "(secret)"), text);
  const withoutHosts = hosts.reduce((rest, [host, name]) => maskHost(rest, host, name), withoutSecrets);
  return withoutHosts.replaceAll(/[0-9a-fA-F:.]{3,}/g, (token) => {
    const address = token.replace(/[.:]+$/, "");
    return isIP(address) === 0 || address === WORKERS_ADDRESS ? token : "(an address)";
  });
}

/** The host, and the zones above it: `CF-Worker` holds the zone. Not its last label, which is no zone of its own. */
function maskHost(text: string, host: string, name: string): string {
  if (isIP(host) !== 0) return text;
  const labels = host.split(".");
  const zones = labels.map((_, at) => labels.slice(at).join(".")).slice(0, -1);
  const names = zones.length === 0 ? [host] : zones;
  return names.reduce((rest, zone, at) => rest.replaceAll(zone, at === 0 ? name : `(zone of ${name})`), text);
}
