/**
 * The Worker's entry: requests, the queue that its records go through, and the cron that keeps the ledger in order.
 * Configured once per isolate; where that fails, nothing is forwarded.
 */
import type { Hono } from "hono";
import { createApp } from "./app/app.ts";
import { readConfig, type ConfigIssues, type Env } from "./config/config.ts";
import { consumeBatch } from "../records/ledger/write/consume.ts";
import { ReplayCacheShard } from "./initiator/replay-cache-shard.ts";
import type { LedgerDeps } from "../records/ledger/ledger.ts";
import { runMaintenance } from "../records/ledger/maintain/cron.ts";
import { Refusal } from "../shared/refusal.ts";
import { uuidV7 } from "../shared/uuid.ts";
import { registry, fallbackDialect, createLedgerDeps, createDeps } from "./wiring.ts";

type Worker = { readonly app: Hono; readonly places: LedgerDeps };

/** By environment: production has one per isolate. */
const workers = new WeakMap<Env, Worker | ConfigIssues>();

function workerFor(env: Env): Worker | ConfigIssues {
  const known = workers.get(env);
  if (known) return known;
  const config = readConfig(env, registry);
  const worker =
    "issues" in config ? config : { app: createApp(createDeps(config)), places: createLedgerDeps(config) };
  workers.set(env, worker);
  return worker;
}

/** Names every wrong key on the console; tells the client nothing but that it is not its fault. */
function misconfigured({ issues: problems }: ConfigIssues): Response {
  sayProblems(problems);
  const interceptionId = uuidV7(Date.now(), crypto.randomUUID());
  const { status, message, code } = new Refusal("misconfigured");
  return Response.json(fallbackDialect.errorBody({ status, message, code, param: null, interceptionId }), {
    status,
    headers: { "x-interception-id": interceptionId, "x-interceptor-error": code },
  });
}

function sayProblems(problems: readonly string[]): void {
  console.error(`configuration: ${problems.join(" | ")}`);
}

/** Records that come while the configuration is wrong wait: a hundred attempts ten minutes apart are most of a day. */
const MISCONFIGURED_RETRY_S = 600;

/** For the cron: rejects, so that its failure is seen. */
function placesFor(env: Env): LedgerDeps {
  const worker = workerFor(env);
  if ("places" in worker) return worker.places;
  sayProblems(worker.issues);
  throw new Error("the configuration is wrong");
}

/** The replay cache's Durable Object: bound as `NONCES` where `OWNER_ASSERTION.replay_cache` is on. */
export { ReplayCacheShard as NonceShard };

export default {
  fetch(request, env, context) {
    const worker = workerFor(env);
    return "issues" in worker ? misconfigured(worker) : worker.app.fetch(request, env, context);
  },
  async queue(batch, env) {
    const worker = workerFor(env);
    if ("places" in worker) return consumeBatch(batch, worker.places);
    // Not by throwing: that would be delivered again at once, and use all its attempts up in minutes.
    sayProblems(worker.issues);
    batch.retryAll({ delaySeconds: MISCONFIGURED_RETRY_S });
  },
  async scheduled({ scheduledTime }, env) {
    await runMaintenance(placesFor(env), scheduledTime);
  },
} satisfies ExportedHandler<Env>;
