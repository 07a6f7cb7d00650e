/** `npm run demo -- --keep` as a newcomer runs it: what the console can then show, and that it was recorded as in a deployment. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ADA } from "../../tools/demo/people.ts";
import { LOCAL_ADMIN_TOKEN } from "../../tools/local-keys.ts";
import { localVerifierKey } from "../../tools/local/verifier-key.ts";
import { createApiClient, type ApiClient } from "../../tools/report/api-client.ts";
import { ROOT } from "../../tools/root.ts";
import { main as verify } from "../../tools/verify.ts";
import { until } from "../support/deadline.ts";

/** Turns a hang into a failure that shows the output. */
const WITHIN_MS = 280_000;

let printed = "";
let api: ApiClient;
let stop: () => Promise<void>;
/** The run keeps its state in a folder of its own in here. */
const folder = mkdtempSync(join(tmpdir(), "demo-"));

beforeAll(async () => {
  const child = spawn(process.execPath, [join(ROOT, "tools/run.mjs"), "demo", "--keep"], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (printed += String(chunk)));
  const exited = new Promise((resolve) => child.once("close", resolve));
  stop = async () => {
    child.kill("SIGINT");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  await until(
    () => printed.includes("Ctrl-C stops") || undefined,
    () => printed,
    WITHIN_MS,
  );
  api = createApiClient(/http:\/\/127\.0\.0\.1:\d+/.exec(printed)?.[0] ?? "", LOCAL_ADMIN_TOKEN);
});

afterAll(() => stop());

type Call = {
  readonly started_at: string;
  readonly outcome: string;
  readonly error: string | null;
  readonly provider: string;
  readonly agent_id: string | null;
  readonly thread_parent_id: string | null;
  readonly initiator_name: string | null;
  readonly user_prompts: readonly { readonly prompt: string }[];
  readonly tool_usages: readonly { readonly tool: string; readonly input: unknown }[];
};

const results = async <T>(path: string): Promise<readonly T[]> =>
  ((await api.get(path, { limit: "1000" })) as { readonly results: readonly T[] }).results;
const valuesOf = <T, V>(rows: readonly T[], read: (row: T) => V): ReadonlySet<V> => new Set(rows.map(read));

describe("npm run demo", () => {
  it("records every request as expected and prints the verifier key with its purpose", async () => {
    expect(printed).toMatch(/All \d+ requests were recorded as expected, in the log and in the ledger/);
    expect(printed).not.toContain("ERROR");
    expect(printed).toContain(`Verifier key, for the page Seals`);
    expect(printed).toContain(await localVerifierKey());
  });

  it("has four days, both providers, named people, prompts, tools, sub-agents, threads and failures", async () => {
    const calls = await results<Call>("interceptions");
    expect(valuesOf(calls, (call) => call.started_at.slice(0, 10)).size).toBeGreaterThanOrEqual(4);
    expect(valuesOf(calls, (call) => call.initiator_name)).toContain("ada.larsen");
    expect(valuesOf(calls, (call) => call.agent_id)).toContain("tester-20b9");
    expect(calls.filter((call) => call.thread_parent_id !== null).length).toBeGreaterThan(5);
    const inputs = calls.flatMap((call) => call.tool_usages).map(({ input }) => JSON.stringify(input));
    expect(inputs.join()).toContain("roundHalfEven");
    const prompts = calls.flatMap((call) => call.user_prompts).map(({ prompt }) => prompt);
    expect(prompts.join()).toMatch(/<script>.*\n!\[status\].*\n.*\u202E/);
    expect([...valuesOf(calls, (call) => call.outcome)].toSorted()).toEqual([
      "cancelled",
      "completed",
      "refused",
      "truncated",
      "upstream_error",
    ]);
    expect(valuesOf(calls, (call) => call.error)).toEqual(
      new Set([null, "budget_exceeded", "overloaded_error", "requests", "server_error"]),
    );
  });

  it("has owner headers that were accepted, others rejected for six reasons, and anomalies", async () => {
    const overrides = await results<{ readonly reason: string | null }>("overrides");
    expect(valuesOf(overrides, ({ reason }) => reason)).toEqual(
      new Set([
        null,
        "client",
        "directory_inactive",
        "directory_unknown",
        "form",
        "not_permitted",
        "version",
      ]),
    );
    const anomalies = await results<{ readonly kind: string }>("anomalies");
    expect(valuesOf(anomalies, ({ kind }) => kind)).toContain("chat_multiple_initiators");
  });

  it("prints a request that its directory accepts", async () => {
    const [, url = "", rest = ""] = /curl -N (\S+) \\\n([\s\S]*?)\n\n/.exec(printed) ?? [];
    const headers = [...rest.matchAll(/-H "([^:"]+): ([^"]+)"/g)].map(([, name = "", value = ""]) => [
      name,
      value,
    ]);
    const agent = /-A "([^"]+)"/.exec(rest)?.[1] ?? "";
    const response = await fetch(url, {
      method: "POST",
      headers: { ...Object.fromEntries(headers), "user-agent": agent },
      body: /-d '([^']+)'/.exec(rest)?.[1] ?? "",
    });
    expect(await response.text()).toContain("data: [DONE]");
    const id = response.headers.get("x-interception-id") ?? "";
    const row = await until(
      async () =>
        ((await api.get("interceptions", { id })) as { readonly results: readonly object[] }).results[0],
      () => `${id} is not recorded`,
    );
    expect(row).toMatchObject({ initiator_id: ADA, attribution: "asserted" });
  });

  it("has a log of seals in which verify finds nothing, although the clock was set back", async () => {
    const state = readdirSync(folder).find((name) => name.startsWith("ai-edge-interceptor-")) ?? "";
    const place = ["--persist-to", join(folder, state, "state"), "--key", await localVerifierKey()];
    expect(await verify(place)).toBe(0);
  });
});
