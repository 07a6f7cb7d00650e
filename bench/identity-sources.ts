/** The cost of each identity source relative to `byok`, with warm caches: the same request with different credentials. */
import { createHash } from "node:crypto";
import type { Bundle } from "../test/support/bundle.ts";
import { startFakeCoder } from "../test/support/fake-coder.ts";
import { AUDIENCE, startFakeIssuer } from "../test/support/fake-issuer.ts";
import type { HeaderPair } from "../test/support/wire.ts";
import { measureCost, type CostRow, type Effort } from "./cpu-cost.ts";
import { startInterceptor, type InterceptorOptions } from "./interceptor.ts";
import type { Provider } from "./provider.ts";
import type { Variant } from "./variant.ts";

const KV_KEY = "aei_bench-key-in-the-store-0123456789abcdef";

const bearer = (token: string): readonly HeaderPair[] => [["Authorization", `Bearer ${token}`]];

/** Measures JSON responses only: a source's cost occurs once per request and does not depend on the response. */
export async function compareSources(provider: Provider, bundle: Bundle, effort: Effort): Promise<CostRow[]> {
  const coder = await startFakeCoder();
  const issuer = await startFakeIssuer();
  const running: Variant[] = [];
  try {
    const backends = {
      provider: provider.url,
      coder: { url: coder.url, token: coder.addUser({ is_service_account: true }) },
      issuer: { url: issuer.url, token: await issuer.token() },
    };
    for (const options of sources(backends)) running.push(await startInterceptor(provider, bundle, options));
    return await measureCost(running, effort, ["json"]);
  } finally {
    for (const variant of running) await variant.stop();
    await Promise.all([coder.close(), issuer.close()]);
  }
}

type Backend = { readonly url: string; readonly token: string };
type Backends = { readonly provider: string; readonly coder: Backend; readonly issuer: Backend };

const identity = (source: object): Readonly<Record<string, unknown>> => ({ IDENTITY: [source] });

/** `byok` is first. Each cache TTL is longer than the run, so that the measured requests hit the cache. */
function sources({ provider, coder, issuer }: Backends): readonly InterceptorOptions[] {
  const sha256 = createHash("sha256").update(KV_KEY).digest("hex");
  const entry = JSON.stringify({ sha256, actor: "bench-service", kind: "service" });
  // A fingerprint never gets a central key.
  const PROVIDERS = { openai: { type: "openai", base_url: `${provider}/v1` } };
  const ownKey = bearer("sk-bench-the-clients-own-provider-key");
  const jwt = { source: "jwt", issuer: issuer.url, jwks_url: `${issuer.url}/keys`, audience: AUDIENCE };
  const access = { source: "access", team_domain: issuer.url, audience: AUDIENCE };
  const store = { source: "keys", store: "KEYS", cache_ttl_s: 300 };
  return [
    { name: "byok", vars: { ...identity({ source: "byok" }), PROVIDERS }, headers: ownKey },
    { name: "keys" },
    { name: "keys in KV", vars: identity(store), headers: bearer(KV_KEY), kv: entry },
    {
      name: "coder",
      vars: identity({ source: "coder", url: coder.url, cache_ttl_s: 300 }),
      headers: bearer(coder.token),
    },
    { name: "jwt", vars: identity(jwt), headers: bearer(issuer.token) },
    { name: "access", vars: identity(access), headers: [["Cf-Access-Jwt-Assertion", issuer.token]] },
  ];
}
