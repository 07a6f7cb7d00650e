/**
 * How large the Worker may be. Far below what Cloudflare takes (3 MB gzipped on the free plan, 10 MB on the paid one):
 * what is parsed at each cold start should grow only because somebody decided so. Raise it in the commit that needs it.
 */
export const BUDGET = { bytes: 240 * 1024, gzipBytes: 84 * 1024 } as const;

/** The only packages whose code is deployed. */
export const DEPLOYED: readonly string[] = ["hono", "jose"];
