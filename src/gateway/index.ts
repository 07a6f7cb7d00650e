/**
 * The Worker's entry: requests, the queue that its records go through, and the cron that keeps the ledger in order.
 * Configured once per isolate; where that fails, nothing is forwarded.
 */
import type { Hono } from "hono";
import { createApp } from "./app/app.ts";
import { readConfig, type ConfigProblems, type Env } from "./config/config.ts";
import { consume } from "../records/ledger/write/consume.ts";
import { NonceShard } from "./initiator/replay-cache-shard.ts";
import type { LedgerPlaces } from "../records/ledger/ledger.ts";
import { keepUp } from "../records/ledger/maintain/cron.ts";
import { Refusal } from "../shared/refusal.ts";
import { uuidV7 } from "../shared/uuid.ts";
import { catalogue, fallbackDialect, ledgerPlaces, wire } from "./wiring.ts";

type Worker = { readonly app: Hono; readonly places: LedgerPlaces };

/** By environment: production has one per isolate. */
const workers = new WeakMap<Env, Worker | ConfigProblems>();

function workerFor(env: Env): Worker | ConfigProblems {
  const known = workers.get(env);
  if (known) return known;
  const config = readConfig(env, catalogue);
  const worker =
    "problems" in config ? config : { app: createApp(wire(config)), places: ledgerPlaces(config) };
  workers.set(env, worker);
  return worker;
}

/** Names every wrong key on the console; tells the client nothing but that it is not its fault. */
function misconfigured({ problems }: ConfigProblems): Response {
  sayProblems(problems);
  const interceptionId = uuidV7(Date.now(), crypto.randomUUID());
  const { status, message, reason, param } = new Refusal("misconfigured");
  return Response.json(fallbackDialect.errorBody({ status, message, code: reason, param, interceptionId }), {
    status,
    headers: { "x-interception-id": interceptionId, "x-interceptor-error": reason },
  });
}

function sayProblems(problems: readonly string[]): void {
  console.error(`configuration: ${problems.join(" | ")}`);
}

/** Records that come while the configuration is wrong wait: a hundred attempts ten minutes apart are most of a day. */
const MISCONFIGURED_RETRY_S = 600;

/** For the cron: rejects, so that its failure is seen. */
function placesFor(env: Env): LedgerPlaces {
  const worker = workerFor(env);
  if ("places" in worker) return worker.places;
  sayProblems(worker.problems);
  throw new Error("the configuration is wrong");
}

/** The replay cache's Durable Object: bound as `NONCES` where `OWNER_ASSERTION.replay_cache` is on. */
export { NonceShard };

export default {
  fetch(request, env, context) {
    const worker = workerFor(env);
    return "problems" in worker ? misconfigured(worker) : worker.app.fetch(request, env, context);
  },
  async queue(batch, env) {
    const worker = workerFor(env);
    if ("places" in worker) return consume(batch, worker.places);
    // Not by throwing: that would be delivered again at once, and use all its attempts up in minutes.
    sayProblems(worker.problems);
    batch.retryAll({ delaySeconds: MISCONFIGURED_RETRY_S });
  },
  async scheduled({ scheduledTime }, env) {
    await keepUp(placesFor(env), scheduledTime);
  },
} satisfies ExportedHandler<Env>;
