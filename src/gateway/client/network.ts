/**
 * Where a request came from, as `RECORDING.network` permits to record it. Cloudflare's edge names its data center in
 * `request.cf.colo`, which no header can set, and it overwrites `CF-Connecting-IP` and `CF-Ray` of every request. Without a data
 * center no edge was there, and a client wrote those headers: they are then not read.
 */
import { NO_NETWORK, type NetworkFacts } from "../../events/compose.ts";
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
    ip: ip && mode === "truncated" ? truncateAddress(ip) : ip,
  };
}

/** The address in its canonical form, one of IPv4 in IPv6 as that of IPv4; null where the text is none. */
export function readAddress(text: string): string | null {
  const [url, mapped] = [`http://[${text}]/`, /^::ffff:([\d.]+)$/i.exec(text)?.[1]];
  const v4 = mapped ?? text;
  if (/^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(v4)) return v4;
  // Of IPv6 alone: other characters would end the brackets.
  if (!/^[\da-f:.]+$/i.test(text) || !URL.canParse(url)) return null;
  const v6 = new URL(url).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([\da-f]+):([\da-f]+)$/.exec(v6) ?? [];
  if (high === undefined || low === undefined) return v6;
  const bytes = [high, low].map((group) => Number.parseInt(group, 16));
  return bytes.flatMap((pair) => [pair >> 8, pair & 255]).join(".");
}

/** The address's network: the first 24 bits of IPv4, 48 of IPv6, which are one customer's site. `address`: canonical. */
function truncateAddress(address: string): string {
  if (!address.includes(":")) return `${address.replace(/\.\d+$/, ".0")}/24`;
  const [left = [], right = []] = address.split("::").map((part) => part.split(":").filter(Boolean));
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  const network = [...left, ...zeros, ...right].slice(0, 3).join(":");
  return `${readAddress(`${network}::`)}/48`;
}
