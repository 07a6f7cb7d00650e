/** The headers that the provider sees besides the client's own: names, and the values that the platform added. */
import { isIP } from "node:net";
import type { SeenHeaders } from "../echo/protocol.ts";
import { asAssumed, define, differs, type Finding } from "../measurement.ts";

/** CF-Connecting-IP of a Worker's request to another Cloudflare zone (fundamentals/reference/http-headers). */
export const WORKERS_ADDRESS = "2a06:98c0:3600::103";
const VIA_MARK = "ai-edge-interceptor";
/** The probe sends these, and the gateway forwards or replaces them. */
const SENT = new Set(["accept", "accept-encoding", "authorization", "host", "user-agent"]);

export type HeadersResult = {
  readonly seen: SeenHeaders;
  /** The client's address, as a request past the gateway shows it; null where that is unknown. */
  readonly clientAddress: string | null;
};

export function assessHeaders({ seen, clientAddress }: HeadersResult): Finding {
  const added = seen.headers.filter(([name]) => !SENT.has(name));
  const shown = added.map(([name, value]) => `${name}: ${describe(value, clientAddress)}`);
  const measured = shown.length === 0 ? "no header was added" : shown.join("; ");
  const foreign = added.filter(([, value]) => isIP(value) !== 0 && value !== WORKERS_ADDRESS);
  if (foreign.length > 0)
    return differs(
      measured,
      `docs/threat-model.md must say that this provider sees an address in ${foreign.map(([name]) => name).join(" and ")}`,
    );
  return added.some(([name, value]) => name === "via" && value.includes(VIA_MARK))
    ? asAssumed(measured)
    : differs(
        measured,
        "`Via` does not arrive, so only the platform's loop limit stops a request that loops",
      );
}

/** Addresses are never printed, except Cloudflare's own. */
function describe(value: string, clientAddress: string | null): string {
  if (isIP(value) === 0 || value === WORKERS_ADDRESS) return value;
  return value === clientAddress ? "(the client's address)" : "(an address)";
}

export const headers = define<HeadersResult>({
  question: "Which headers does the provider see besides the client's own?",
  assumed: `to a Cloudflare zone: \`via\`, \`cf-worker\`, \`cf-ew-via\`, \`cdn-loop\`, \`cf-ray\`, and ${WORKERS_ADDRESS} as \`cf-connecting-ip\``,
  phase: "quick",
  requests: 2,
  isNetworkOnly: true,
  measure: async ({ echo, direct }) => {
    const seen = await echo.call<SeenHeaders>("headers");
    const past = (await direct?.call<SeenHeaders>("headers"))?.headers ?? [];
    return { seen, clientAddress: past.find(([name]) => name === "cf-connecting-ip")?.[1] ?? null };
  },
  assess: assessHeaders,
});
