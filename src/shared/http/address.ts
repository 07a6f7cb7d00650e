/** IP addresses, in the canonical form of RFC 5952. */

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

/**
 * The address's network of this prefix length, as `2001:db8::/48`. `address`: canonical. `bits`: a multiple of 8 of IPv4, of 16 of
 * IPv6, and shorter than the address.
 */
export function truncateAddress(address: string, bits: number): string {
  if (!address.includes(":")) {
    const kept = address.split(".").slice(0, bits / 8);
    return `${[...kept, "0", "0", "0", "0"].slice(0, 4).join(".")}/${bits}`;
  }
  const [left = [], right = []] = address.split("::").map((part) => part.split(":").filter(Boolean));
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  const network = [...left, ...zeros, ...right].slice(0, bits / 16).join(":");
  return `${readAddress(`${network}::`)}/${bits}`;
}
