/**
 * The maximum size of the gateway's bundle. Cloudflare's own limits are far higher (gzipped 3 MB on the free plan, 10 MB on
 * the paid one). The budget keeps the cold start short: code is parsed at each one. Raise it in the commit that needs it.
 */
export const BUDGET = { bytes: 160 * 1024, gzipBytes: 56_000 } as const;

/** The only packages whose code is deployed. */
export const DEPLOYED: readonly string[] = ["hono", "jose"];
