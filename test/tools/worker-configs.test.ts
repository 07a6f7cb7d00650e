/** The settings of both configuration files for Cloudflare's network, read as wrangler reads them. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { unstable_readConfig } from "wrangler";
import { ROOT } from "../../tools/root.ts";

const read = (file: string) => unstable_readConfig({ config: join(ROOT, file) }, { hideWarnings: true });

describe.each(["wrangler.toml", "wrangler.records.toml"])("%s", (file) => {
  const config = read(file);

  // Invocation logs would store X-Coder-Owner-Id, client addresses and query strings, which no line of this project does.
  it("keeps URLs and headers of requests out of Workers Logs", () => {
    expect(config.observability).toEqual({
      enabled: true,
      redact_query_string: true,
      logs: { invocation_logs: false },
    });
    expect(config.tail_consumers ?? []).toEqual([]);
  });

  // A preview or workers.dev host name would bypass Cloudflare Access and the WAF rules of the custom domain.
  it("serves no host name but its routes", () => {
    expect([config.workers_dev, config.preview_urls]).toEqual([false, false]);
  });

  it("bounds the CPU time and the subrequests of an invocation", () => {
    const { cpu_ms = 0, subrequests = 0 } = config.limits ?? {};
    expect(cpu_ms).toBeGreaterThan(0);
    expect(cpu_ms).toBeLessThanOrEqual(60_000);
    expect(subrequests).toBeGreaterThan(0);
    expect(subrequests).toBeLessThanOrEqual(2_000);
  });
});
