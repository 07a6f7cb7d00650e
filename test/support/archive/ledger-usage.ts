/** `GET /usage` of the records Worker's own API, in Node. */
import { timingSafeEqual } from "node:crypto";
import { createApi } from "../../../src/records/api/api.ts";
import { proveCheckpoint, proveEvent } from "../../../src/records/ledger/seal/proof.ts";
import { uuidV7 } from "../../../src/shared/uuid.ts";

const TOKEN = "admin-token-0123456789";

/** workerd's extension of Web Crypto, which Node has in another place. */
if (!("timingSafeEqual" in crypto.subtle)) Object.assign(crypto.subtle, { timingSafeEqual });

export type UsageGroup = Readonly<Record<string, unknown>>;

/** The groups of all pages. Throws where the API refuses. */
export async function ledgerUsage(
  database: D1Database,
  search: string,
  now: number,
): Promise<readonly UsageGroup[]> {
  const api = createApi({
    gateway: null,
    database,
    admit: () => Promise.resolve({ by: "test", scopes: ["read"] }),
    seals: { isOn: true, proveEvent, proveCheckpoint },
    now: () => now,
    newId: () => uuidV7(now, crypto.randomUUID()),
    onRead: () => undefined,
    onRefusal: (_, request, { code, data }) => {
      throw new Error(`${request.url}: ${code} ${data.detail ?? ""}`);
    },
  });
  const groups: UsageGroup[] = [];
  let next: string | undefined = `?order=key&${search}`;
  while (next !== undefined) {
    const url = new URL(next, "https://interceptor.example/api/v2/ai-gateway/usage");
    const response = await api.fetch(new Request(url, { headers: { authorization: `Bearer ${TOKEN}` } }));
    const { results } = (await response.json()) as { readonly results: readonly UsageGroup[] };
    groups.push(...results);
    next = /<([^>]+)>; rel="next"/.exec(response.headers.get("link") ?? "")?.[1];
  }
  return groups;
}
