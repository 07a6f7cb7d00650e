/** One run of the probe against a gateway and its echo, from the proof of identity to the report. */
import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { createApiClient } from "../report/api-client.ts";
import { clock, type Endpoint } from "./client/http.ts";
import { createBudget, createSender, type Budget, type Sender } from "./client/sender.ts";
import { offsetOf, type Offset, type RoundTrip } from "./clock-offset.ts";
import type { Context } from "./context.ts";
import { createEcho, introduce, type Credentials, type Echo } from "./echo-client.ts";
import type { Hello } from "./echo/protocol.ts";
import { clockText, locations, versions } from "./facts.ts";
import { mask } from "./mask.ts";
import { measurementsOf } from "./measurements/all.ts";
import { MAX_REQUESTS, type Plan } from "./plan.ts";
import { createRecordsReader } from "./records-reader.ts";
import { formatReport } from "./report.ts";
import { runMeasurements, type Row } from "./run.ts";

export type Target = Credentials & {
  readonly gateway: Endpoint;
  /** The echo's own address; null where it is not known. */
  readonly echo: Endpoint | null;
  readonly provider: string;
  readonly adminToken: string | null;
  readonly isLocal: boolean;
};

export type SessionResult = {
  readonly report: string;
  readonly rows: readonly Row[];
  readonly requests: number;
};

/** Requests besides those of the measurements: the proof, the clock, the deletion of the notes. */
export const CLOCK_TRIPS = 5;
export const OTHER_REQUESTS = 1 + CLOCK_TRIPS + 1;

/** @throws where the gateway cannot be reached, or its provider is not the echo. */
export async function probe(
  target: Target,
  plan: Plan,
  interrupted: AbortSignal,
  onProgress: (line: string) => void,
): Promise<SessionResult> {
  const startedAt = Date.now();
  const budget = createBudget(MAX_REQUESTS);
  const sender = createSender(budget);
  const over = AbortSignal.any([interrupted, AbortSignal.timeout(plan.maxMs)]);
  over.addEventListener("abort", sender.stop, { once: true });
  const { echo, direct } = echoesOf(target, sender);
  const { hello, response } = await introduce(echo, target.secret);
  const context = await contextOf({ target, plan, budget, echo, direct, hello, signal: over });
  const rows = await runMeasurements(measurementsOf(plan), context, { signal: over, onProgress });
  // Otherwise the journal deletes its notes by itself, a day later.
  if (!over.aborted) await echo.call("forget").catch(() => undefined);
  sender.stop();
  const report = formatReport(
    {
      date: new Date(startedAt).toISOString(),
      versions: versions(),
      deployment: target.isLocal
        ? "local: gateway, records Worker and echo in wrangler dev on one machine"
        : locations(response, hello.colo),
      plan: plan.name,
      requests: { used: budget.used(), max: budget.max },
      seconds: { used: Math.round((Date.now() - startedAt) / 1000), max: plan.maxMs / 1000 },
      clock: clockText(context.offset),
    },
    rows,
  );
  return { report: masked(report, target), rows, requests: budget.used() };
}

function echoesOf(target: Target, sender: Sender): { readonly echo: Echo; readonly direct: Echo | null } {
  const { secret, clientKey, provider } = target;
  const common = { sender, secret, clientKey, session: randomUUID() };
  return {
    echo: createEcho({ ...common, endpoint: target.gateway, provider }),
    direct: target.echo && createEcho({ ...common, endpoint: target.echo, provider: null }),
  };
}

type ContextParts = Pick<Context, "plan" | "echo" | "direct"> & {
  readonly target: Target;
  readonly budget: Budget;
  readonly hello: Hello;
  readonly signal: AbortSignal;
};

async function contextOf(parts: ContextParts): Promise<Context> {
  const { target, plan, budget, echo, direct, hello, signal } = parts;
  const sleep = (ms: number): Promise<void> => wait(ms, undefined, { signal });
  const api = target.adminToken && createApiClient(target.gateway.url.origin, target.adminToken);
  return {
    plan,
    isLocal: target.isLocal,
    echo,
    direct,
    bindings: hello.bindings,
    offset: await measureOffset(echo),
    records: api ? createRecordsReader(api, budget, sleep) : null,
    sleep,
  };
}

async function measureOffset(echo: Echo): Promise<Offset> {
  const trips: RoundTrip[] = [];
  for (let trip = 0; trip < CLOCK_TRIPS; trip += 1) {
    const sentAt = clock();
    const { at } = await echo.call<Hello>("hello");
    trips.push({ sentAt, remoteAt: at, receivedAt: clock() });
  }
  return offsetOf(trips);
}

function masked(report: string, { secret, clientKey, adminToken, gateway, echo }: Target): string {
  return mask(report, {
    secrets: [secret, clientKey ?? "", adminToken ?? ""],
    hosts: [
      [gateway.url.hostname, "the gateway"],
      ...(echo ? [[echo.url.hostname, "the echo"] as const] : []),
    ],
  });
}
