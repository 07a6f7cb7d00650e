/** `npm start` as a user runs it: nothing is lost when it ends, and only this machine may call it. */
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { LOCAL_ADMIN_TOKEN, LOCAL_KEYS } from "../../tools/local-keys.ts";
import { CRON_PATH } from "../../tools/local/crons.ts";
import { twoFreePorts } from "../../tools/local/ports.ts";
import { runWrangler } from "../../tools/local/wrangler.ts";
import { ROOT } from "../../tools/root.ts";
import { until } from "../support/deadline.ts";

/** Turns a hang into a failure that shows the output: wrangler may need minutes on a busy machine. */
const START_MS = 280_000;

type LocalRun = {
  readonly url: string;
  readonly state: string;
  readonly printed: () => string;
  /** The exit code. */
  readonly exited: Promise<number | null>;
  /** To every process of the group, as the terminal does for Ctrl-C. npm also forwards it to its script. */
  readonly signal: (name: NodeJS.Signals) => void;
};

async function start(...options: readonly string[]): Promise<LocalRun> {
  const state = mkdtempSync(join(tmpdir(), "local-run-"));
  const [port, providerPort] = await twoFreePorts();
  const ports = ["--port", String(port), "--provider-port", String(providerPort)];
  const child = spawn("npm", ["start", "--", ...ports, "--persist-to", state, ...options], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const signal = (name: NodeJS.Signals): void => void process.kill(-(child.pid as number), name);
  let printed = "";
  child.stdout.on("data", (chunk) => (printed += String(chunk)));
  child.stderr.on("data", (chunk) => (printed += String(chunk)));
  const exited = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) signal("SIGKILL");
    await exited;
    rmSync(state, { recursive: true, force: true });
  });
  await until(
    () => printed.includes("Ctrl-C stops everything") || undefined,
    () => printed,
    START_MS,
  );
  return { url: `http://127.0.0.1:${port}`, state, printed: () => printed, exited, signal };
}

/** Resolves with the whole response. */
const chat = async (url: string, model: string): Promise<string> => {
  const response = await fetch(`${url}/team-openai/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${LOCAL_KEYS.alice.key}`, "content-type": "application/json" },
    body: JSON.stringify({ model, stream: true, messages: [{ role: "user", content: "Hello there" }] }),
  });
  expect(response.status).toBe(200);
  return response.text();
};

/** The ledger's interceptions with their usage, read from the database of a run that has ended. */
async function stored(state: string): Promise<unknown> {
  const usage = "output_tokens > 0 AND usage_metadata IS NOT NULL AS has_usage";
  const sql = `SELECT model, outcome, ${usage} FROM interceptions ORDER BY model`;
  const where = ["--local", "--persist-to", state, "--config", join(ROOT, "wrangler.records.toml")];
  const run = await runWrangler(["d1", "execute", "LEDGER", "--command", sql, "--json", ...where]);
  if (!run.ok) throw new Error(run.lines.join("\n"));
  return (JSON.parse(run.stdout) as { readonly results: unknown }[]).at(-1)?.results;
}

const MODELS = ["gpt-5.1", "gpt-5.2", "gpt-5.3", "gpt-5.4", "gpt-5.5"];

/** The status and body of a request with this Host header, which `fetch` does not allow to be set. */
function getAs(url: string, headers: Readonly<Record<string, string>>): Promise<readonly [number, string]> {
  return new Promise((resolve, reject) => {
    request(url, { headers: { authorization: `Bearer ${LOCAL_ADMIN_TOKEN}`, ...headers } }, (response) => {
      let body = "";
      response.on("data", (chunk) => (body += String(chunk)));
      response.on("end", () => resolve([response.statusCode ?? 0, body]));
    })
      .on("error", reject)
      .end();
  });
}

describe("npm start", () => {
  it("reports a request right after it, and has stored all of them when Ctrl-C ends it", async () => {
    const run = await start();
    const report = [join(ROOT, "tools/run.mjs"), "report", "interceptions", "--url", run.url, "--json"];
    await chat(run.url, "gpt-5");
    const { stdout } = await promisify(execFile)(process.execPath, report);
    const [newest] = (JSON.parse(stdout) as { readonly results: readonly object[] }).results;
    expect(newest).toMatchObject({ model: "gpt-5", outcome: "completed", usage: "final" });

    await Promise.all(MODELS.map((model) => chat(run.url, model)));
    run.signal("SIGINT");
    await run.exited;
    expect(run.printed()).not.toContain("Not recorded");
    expect(await stored(run.state)).toEqual(
      ["gpt-5", ...MODELS].map((model) => ({ model, outcome: "completed", has_usage: 1 })),
    );
  });

  it("runs the crons by itself: a read of the API is sealed without a further request", async () => {
    const run = await start();
    const get = async (path: string): Promise<{ readonly tree_size?: number }> => {
      const headers = { authorization: `Bearer ${LOCAL_ADMIN_TOKEN}` };
      const response = await fetch(`${run.url}/api/v2/ai-gateway${path}`, { headers });
      return (await response.json()) as { readonly tree_size?: number };
    };
    const sealed = (above: number) =>
      until(
        async () => {
          const { tree_size: size = 0 } = await get("/checkpoint");
          if (size > above) return size;
          // Each of these reads is an event too: not thousands of them.
          await new Promise((resolve) => setTimeout(resolve, 500));
          return undefined;
        },
        () => run.printed(),
        START_MS,
      );
    await chat(run.url, "gpt-5");
    const size = await sealed(0);
    await get("/interceptions");
    await sealed(size);
    const cron = new URLSearchParams({ cron: "*/10 * * * *" });
    expect((await fetch(`${run.url}${CRON_PATH}?${cron}`, { method: "POST" })).status).toBe(204);
  });

  it("refuses a web page of another host, waits for a running request, and ends at once at the second signal", async () => {
    const run = await start("--allow-host", "gateway.test");
    const records = `${run.url}/api/v2/ai-gateway/interceptions`;
    const { port } = new URL(run.url);
    // The attack: a page that the developer visits lets its own name resolve to 127.0.0.1. Its requests are then of the
    // same origin for the browser. With the published token they read the records of this machine, of earlier runs with
    // real providers included: both kinds were in one database, and no Host was refused.
    for (const host of ["evil.example", `evil.example:${port}`, "127.0.0.1.evil.example"]) {
      const [status, body] = await getAs(records, { host });
      expect([status, JSON.parse(body)]).toMatchObject([403, { error: { code: "host_not_allowed" } }]);
    }
    // The same for wrangler's own pages, which list the rows of every database.
    const explorer = `${run.url}/cdn-cgi/local/explorer`;
    expect(await getAs(explorer, { host: "evil.example" })).toMatchObject({ 0: 403 });
    // A page of another site cannot read the response, but its request would be executed.
    expect(await getAs(records, { origin: "https://evil.example" })).toMatchObject({ 0: 403 });
    expect(await getAs(records, { origin: "null" })).toMatchObject({ 0: 403 });
    for (const host of [`localhost:${port}`, `[::1]:${port}`, `127.0.0.1:${port}`, `gateway.test:${port}`])
      expect(await getAs(records, { host, origin: `http://${host}` })).toMatchObject({ 0: 200 });
    expect(await getAs(records, { origin: "vscode-webview://editor" })).toMatchObject({ 0: 200 });
    expect(run.printed()).toContain("Refused a request with the host evil.example");

    // One event a second, for longer than the command waits.
    const slow = chat(run.url, "fault-slow").catch(() => "cut off");
    await until(
      () => /start .*fault-slow/.test(run.printed()) || undefined,
      () => run.printed(),
      START_MS,
    );
    run.signal("SIGTERM");
    await until(
      () => /Recording 1 running request.* … \(Ctrl-C again stops at once\)/.test(run.printed()) || undefined,
      () => run.printed(),
      START_MS,
    );
    const impatient = setInterval(() => run.signal("SIGINT"), 400);
    void run.exited.then(() => clearInterval(impatient));
    await run.exited;
    expect(run.printed()).not.toContain("Not recorded");
    expect(await slow).toBe("cut off");
  });
});
