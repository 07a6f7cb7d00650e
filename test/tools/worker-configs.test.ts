/** The settings of both configuration files for Cloudflare's network, read as wrangler reads them. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { unstable_readConfig } from "wrangler";
import { ROOT } from "../../tools/root.ts";

const read = (file: string) => unstable_readConfig({ config: join(ROOT, file) }, { hideWarnings: true });

describe.each(["wrangler.toml", "wrangler.records.toml"])("%s", (file) => {
  const config = read(file);

  // The attack: a reader of the log collects what callers put into URLs. Invocation logs would store X-Coder-Owner-Id, client addresses and query strings, which no line of this project does.
  it("Finding S6: keeps URLs and headers of requests out of Workers Logs", () => {
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

type Consumer = {
  readonly queue: string;
  readonly retry_delay?: number;
  readonly max_retries?: number;
  readonly dead_letter_queue?: string;
};

describe("the consumers of wrangler.records.toml", () => {
  const consumers: readonly Consumer[] = read("wrangler.records.toml").queues.consumers ?? [];

  // Without a delay, a run that is ended by its memory would be repeated at once, and use up the attempts in minutes.
  it("deliver a batch without a result again after a minute, a hundred times", () => {
    expect(consumers.map(({ queue, retry_delay, max_retries }) => [queue, retry_delay, max_retries])).toEqual(
      [
        ["ai-events", 60, 100],
        ["ai-events-dead", 60, 100],
      ],
    );
  });

  it("leave what exhausts its retries to the other consumer, and nothing to a third queue", () => {
    expect(consumers.map(({ dead_letter_queue }) => dead_letter_queue)).toEqual([
      "ai-events-dead",
      undefined,
    ]);
  });
});
