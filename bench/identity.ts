/** What each identity source costs beside `byok`, once it knows the caller: the same request, who calls is another's. */
import { createHash } from "node:crypto";
import type { Bundle } from "../test/support/bundle.ts";
import { startFakeCoder } from "../test/support/fake-coder.ts";
import { AUDIENCE, startFakeIssuer } from "../test/support/fake-issuer.ts";
import type { HeaderPair } from "../test/support/wire.ts";
import { startInterceptor, type Contestant, type InterceptorOptions, type Provider } from "./contestants.ts";
import { measureCost, type CostRow, type Effort } from "./cpu-cost.ts";

const KV_KEY = "aei_bench-key-in-the-store-0123456789abcdef";

const bearer = (token: string): readonly HeaderPair[] => [["Authorization", `Bearer ${token}`]];

/** JSON answers only: what a source costs is paid once per request, whatever is answered. */
export async function compareSources(provider: Provider, bundle: Bundle, effort: Effort): Promise<CostRow[]> {
  const coder = await startFakeCoder();
  const issuer = await startFakeIssuer();
  const running: Contestant[] = [];
  try {
    const token = coder.addUser({ is_service_account: true });
    const signed = await issuer.token();
    for (const options of sources(provider.url, coder.url, token, issuer.url, signed))
      running.push(await startInterceptor(provider, bundle, options));
    const [byok, ...others] = running;
    if (!byok) throw new Error("there are no sources");
    return await measureCost(byok, others, effort, ["json"]);
  } finally {
    for (const contestant of running) await contestant.stop();
    await Promise.all([coder.close(), issuer.close()]);
  }
}

const of = (source: object): Readonly<Record<string, unknown>> => ({ IDENTITY: [source] });

/** `byok` first. Caches live for longer than it takes: what is measured is who is known already. */
function sources(
  provider: string,
  coder: string,
  token: string,
  issuer: string,
  signed: string,
): readonly InterceptorOptions[] {
  const sha256 = createHash("sha256").update(KV_KEY).digest("hex");
  const entry = JSON.stringify({ sha256, actor: "bench-service", kind: "service" });
  // A fingerprint gets no central key.
  const PROVIDERS = { openai: { type: "openai", base_url: `${provider}/v1` } };
  const own = bearer("sk-bench-the-clients-own-provider-key");
  const jwt = { source: "jwt", issuer, jwks_url: `${issuer}/keys`, audience: AUDIENCE };
  const access = { source: "access", team_domain: issuer, audience: AUDIENCE };
  const store = { source: "keys", store: "KEYS", cache_ttl_s: 300 };
  return [
    { name: "byok", vars: { ...of({ source: "byok" }), PROVIDERS }, headers: own },
    { name: "keys" },
    { name: "keys in KV", vars: of(store), headers: bearer(KV_KEY), kv: entry },
    {
      name: "coder",
      vars: of({ source: "coder", url: coder, cache_ttl_s: 300 }),
      headers: bearer(token),
    },
    { name: "jwt", vars: of(jwt), headers: bearer(signed) },
    { name: "access", vars: of(access), headers: [["Cf-Access-Jwt-Assertion", signed]] },
  ];
}
