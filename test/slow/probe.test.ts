/** `npm run probe` end to end: gateway, records Worker and echo in wrangler dev, plain and behind TLS with HTTP/2. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBudget, createSender } from "../../tools/probe/client/sender.ts";
import { deployEcho, type Optional } from "../../tools/probe/deploy-echo.ts";
import { runWrangler } from "../../tools/local/wrangler.ts";
import { startLocal, type LocalTarget } from "../../tools/probe/local.ts";
import { DEFAULT_PLAN, MAX_REQUESTS, type Plan } from "../../tools/probe/plan.ts";
import { probe, type SessionResult, type Target } from "../../tools/probe/session.ts";
import { startTlsFront, type TlsFront } from "../support/tls-front.ts";

/** The default plan with shorter times. The test checks that each measurement works, not its values here. */
const SHORT: Plan = {
  ...DEFAULT_PLAN,
  silencesMs: [2000],
  streamsMs: [3000],
  disconnectMs: 3000,
  graceMs: 4000,
  delivery: { events: 5, gapMs: 100 },
  upload: { largeBytes: 4 * 1024 * 1024, slowBytes: 64 * 1024, slowPieces: 4, slowGapMs: 500 },
};

const running = new AbortController();
const progress: string[] = [];
let local: LocalTarget;
let front: TlsFront;

beforeAll(async () => {
  local = await startLocal(running.signal, () => undefined);
  front = await startTlsFront(local.target.gateway.url);
});
afterAll(async () => {
  front?.close();
  await local?.stop();
});

const run = (changes: Partial<Target> = {}): Promise<SessionResult> =>
  probe({ ...local.target, ...changes }, SHORT, running.signal, (line) => void progress.push(line));

const row = ({ report }: SessionResult, question: string): string =>
  report.split("\n").find((line) => line.startsWith(`| ${question}`)) ?? "";

describe("the probe on this machine", () => {
  let result: SessionResult;
  beforeAll(async () => {
    result = await run();
  });

  it("measures everything but HTTP/2, within its number of requests", () => {
    const missing = result.rows.filter(({ finding }) => finding.verdict.kind === "not measured");
    expect(missing.map(({ finding }) => finding.verdict)).toEqual(
      Array.from({ length: 4 }, () => ({ kind: "not measured", why: "HTTP/2 needs TLS" })),
    );
    expect(missing.every(({ measurement }) => measurement.question.startsWith("HTTP/2"))).toBe(true);
    expect(result.requests).toBeGreaterThan(40);
    expect(result.requests).toBeLessThanOrEqual(MAX_REQUESTS);
    expect(progress).toHaveLength(result.rows.length);
  });

  it.each([
    ["Does `Accept-Encoding: identity` arrive", /identity.*\| as assumed \|$/],
    ["Which headers does the provider see", /via: 1\.1 ai-edge-interceptor.*\| local only/],
    ["Are the client's bytes the provider's?", /equal: 100 KB.*\| as assumed \|$/],
    ["Is Content-Length kept", /observed: 20000; passthrough: 20000/],
    ["Do events arrive one by one? (teed", /between events: median \d+ ms, longest \d+ ms at the provider/],
    ["Do events arrive one by one? (coalesced", /of 5 arrived singly/],
    ["Do events arrive one by one? (passthrough", /of 5 arrived singly/],
    ["HTTP/1.1: when is a disconnect in mid-stream", /reset: .*; close: .* \(± \d+ ms\)/],
    ["HTTP/1.1, without the gateway: when", /reset: .*; close: /],
    ["Does a response survive 2 s of silence before", /complete after [\d.]+ s/],
    ["Does a response survive 2 s of silence in mid", /complete after [\d.]+ s/],
    ["Is a stream of 3 s complete", /record: completed, [\d.]+ s, usage \|.*\| as assumed \|$/],
    ["How long does work in `waitUntil` go on after a resp", /still running after [\d.]+ s/],
    ["How long does work in `waitUntil` go on after its client", /still running after [\d.]+ s/],
    ["How long does work in `waitUntil` go on after the head", /still running after [\d.]+ s/],
    ["Does an upload of 4 MiB arrive?", /status 200 .*equal bytes/],
    ["Does a slow upload (64 KiB", /status 200 .*equal bytes/],
    ["Does a create-only put", /first put: an object; second: null; the first content was kept/],
    ["How long does a queue take", /send: median .*delivered [\d.]+ m?s, /],
    ["How far away is a Durable Object", /first call \d+ ms; then median \d+ ms/],
  ])("reports %s…", (question, pattern) => {
    expect(row(result, question)).toMatch(pattern);
  });

  it("reports no secret, no key, no address and no port", () => {
    expect(result.report).not.toContain(local.target.secret);
    expect(result.report).not.toMatch(/127\.0\.0\.1|::1\b|localhost:|aei_|Bearer/);
    expect(result.report).not.toMatch(/NaN|undefined/);
  });
});

describe("the probe behind TLS with HTTP/2", () => {
  it("measures disconnects in HTTP/2, by RST_STREAM, by RST and by a close", async () => {
    const secure = { url: front.url, ca: front.ca };
    // Without the token: the records API is read with a client that trusts only public certificates.
    const result = await run({ gateway: secure, adminToken: null });
    for (const state of ["before the headers", "in a silent stream", "in mid-stream"])
      expect(row(result, `HTTP/2: when is a disconnect ${state}`)).toMatch(
        /\| cancel: .+; reset: .+; close: .+ \(± \d+ ms\)/,
      );
    expect(row(result, "Is a stream of 3 s complete")).toContain("INTERCEPTOR_ADMIN_TOKEN is not set");
  });
});

/** Wrangler's output, for the echo without some of its bindings. */
async function bundled(without: readonly Optional[]): Promise<string> {
  let printed = "";
  const deps = { run: runWrangler, print: (text: string) => void (printed += text) };
  await deployEcho({ without, dryRun: true }, "", deps);
  return printed;
}

describe("the echo", () => {
  it("is bundled by the pinned wrangler with --dry-run, with and without its optional bindings", async () => {
    expect(await bundled([])).toMatch(
      /env\.QUEUE .*Queue[^]*env\.BUCKET .*R2 Bucket[^]*--dry-run: exiting now\./,
    );
    expect(await bundled(["r2", "queue"])).not.toMatch(/env\.(?:QUEUE|BUCKET)/);
  });

  // A deployed echo is on the Internet: without its secret it must neither stream nor store anything.
  it.each([
    ["no credential", {}, "hello", 401],
    ["another secret", { authorization: "Bearer canary-0123456789-0123456789-012345" }, "stream", 401],
    ["an action that does not exist", null, "constructor", 404],
  ])("refuses a request with %s", async (_, headers, action, status) => {
    const { echo, secret } = local.target;
    const sent = headers ?? { authorization: `Bearer ${secret}` };
    const request = await createSender(createBudget(1)).open(echo as NonNullable<Target["echo"]>, {
      method: "GET",
      path: `/v1/models/probe-echo?probe=${action}&session=s`,
      headers: sent,
    });
    expect((await request.received).status).toBe(status);
  });
});
