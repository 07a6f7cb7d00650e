/**
 * Where a request came from, as `RECORDING.network` permits to record it. Cloudflare's edge names its data center in
 * `request.cf.colo`, which no header can set, and it overwrites `CF-Connecting-IP` and `CF-Ray` of every request. Without a data
 * center no edge was there, and a client wrote those headers: they are then not read.
 */
import { NO_NETWORK, type NetworkFacts } from "../../events/compose.ts";
import { readAddress, truncateAddress } from "../../shared/http/address.ts";
import type { HeaderReader } from "../../shared/http/named-headers.ts";

export type NetworkMode = "off" | "country" | "truncated" | "full";

/** A code of ISO 3166-1, or one of Cloudflare's own: `T1` for Tor. */
const COUNTRY = /^[A-Z][A-Z\d]$/;
const RAY = /^[\da-f]{16}(?:-[A-Z]{3})?$/;

export function readNetwork(cf: Request["cf"], headers: HeaderReader, mode: NetworkMode): NetworkFacts {
  if (mode === "off") return NO_NETWORK;
  const { colo, country } = (cf ?? {}) as { readonly colo?: unknown; readonly country?: unknown };
  if (typeof colo !== "string") return NO_NETWORK;
  const ray = headers.get("cf-ray") ?? "";
  const ip = mode === "country" ? null : readAddress(headers.get("cf-connecting-ip") ?? "");
  return {
    country: typeof country === "string" && COUNTRY.test(country) ? country : null,
    ray: RAY.test(ray) ? ray : null,
    ip: ip && mode === "truncated" ? siteOf(ip) : ip,
  };
}

/** The first 24 bits of IPv4; 48 of IPv6, which are one customer's site. `address`: canonical. */
const siteOf = (address: string): string => truncateAddress(address, address.includes(":") ? 48 : 24);
