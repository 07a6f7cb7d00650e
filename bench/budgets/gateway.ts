/**
 * Calls of one service account through the whole gateway, with the budget object in the records Worker, as `wrangler dev` runs
 * both. Node, which carries each request to wrangler and to the provider, is most of what limits it.
 */
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startFakeUpstream } from "../../test/support/fake-upstream.ts";
import { startLocalWorkers } from "../../test/support/local-workers.ts";
import * as respond from "../../test/support/response-steps.ts";
import { readProjectConfig } from "../../tools/deploy/project-config.ts";
import { writeRecordsConfig } from "../../tools/local/records-config.ts";

const PROJECT = join(import.meta.dirname, "../..");
const KEY = "aei_service-of-the-bench-0123456789abcdef";
const ADMIN_TOKEN = "aei_admin-of-the-bench-0123456789";
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const BODY = JSON.stringify({
  model: "gpt-4o",
  max_completion_tokens: 4,
  messages: [{ role: "user", content: "hi" }],
});
const CONNECTIONS = 64;
/** Calls before the measurement. They are charged too. */
const WARM_UP = 20;
/** How long charges may be on their way: gathered for a second, and tried for 15 at most. */
const DELIVERY_MS = 30_000;

type Mode = "strict" | "soft" | null;

export type Throughput = {
  /** Responses with status 200. */
  readonly calls: number;
  readonly perSecond: number;
  /** The calls that the object has charged in the end; null without budgets. */
  readonly charged: number | null;
};

/** Offers as many calls as go through, for `forMs` milliseconds. `mode` null: without budgets. */
export async function measureGateway(mode: Mode, forMs: number): Promise<Throughput> {
  const folder = await mkdtemp(join(tmpdir(), "bench-budgets-"));
  try {
    return await measureIn(folder, mode, forMs);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureIn(folder: string, mode: Mode, forMs: number): Promise<Throughput> {
  const upstream = await startFakeUpstream();
  const usage = { prompt_tokens: 10, completion_tokens: 4, total_tokens: 14 };
  upstream.respondWith(
    respond.json(200, { id: "1", object: "chat.completion", model: "gpt-4o", choices: [], usage }),
  );
  const { env: _, ...raw } = readProjectConfig(PROJECT, "gateway", { shippedOnly: true });
  const vars = {
    PROVIDERS: { openai: { type: "openai", base_url: `${upstream.url}/v1`, keys: ["PROVIDER_KEY"] } },
    PROVIDER_KEY: "sk-of-the-provider-0123456789",
    IDENTITY: [{ source: "keys" }],
    CLIENT_KEYS: JSON.stringify([{ sha256: sha256(KEY), actor: "agents", kind: "service" }]),
    ...(mode === null ? {} : { BUDGETS: { agents: { per: "actor", requests: 1e9, mode } } }),
  };
  const main = join(PROJECT, "src/gateway/index.ts");
  const gateway = join(folder, "wrangler.gateway.json");
  await writeFile(gateway, JSON.stringify({ ...raw, main, routes: undefined, vars }));
  const records = writeRecordsConfig(folder, { ADMIN_TOKEN: sha256(ADMIN_TOKEN) });
  const workers = await startLocalWorkers(folder, [gateway, records]);
  const call = async (): Promise<boolean> => {
    const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
    const response = await fetch(`${workers.url}/openai/v1/chat/completions`, {
      method: "POST",
      headers,
      body: BODY,
    });
    await response.arrayBuffer();
    return response.status === 200;
  };
  const charged = async (): Promise<number> => {
    const query = "budget=agents&subject_source=keys&subject_id=agents";
    const response = await fetch(`${workers.url}/api/v2/ai-gateway/budgets?${query}`, {
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    const { results } = (await response.json()) as {
      readonly results: readonly { readonly spent: number }[];
    };
    return results[0]?.spent ?? 0;
  };
  try {
    for (let n = 0; n < WARM_UP; n += 1) await call();
    let calls = 0;
    const from = performance.now();
    const lane = async (): Promise<void> => {
      while (performance.now() - from < forMs) if (await call()) calls += 1;
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, lane));
    const perSecond = (1000 * calls) / (performance.now() - from);
    if (mode === null) return { calls, perSecond, charged: null };
    const until = performance.now() + DELIVERY_MS;
    let inObject = 0;
    while (inObject < calls + WARM_UP && performance.now() < until) inObject = await charged();
    return { calls, perSecond, charged: inObject - WARM_UP };
  } finally {
    await workers.close();
    await upstream.close();
  }
}
