/** The workerd build under test, and its behavior when a client disconnects. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execFileSync } from "node:child_process";
import { expect, it, onTestFinished } from "vitest";
import * as respond from "../support/response-steps.ts";
import { startFakeUpstream } from "../support/fake-upstream.ts";
import { startInterceptor, type RunningInterceptor } from "../support/interceptor.ts";
import { openRaw } from "../support/raw-client.ts";
import { runsCancel, hidesTruncation, workerdBinary, workerdVersion } from "../support/workerd-build.ts";
import { waitForBody, receive, send } from "./exchange.ts";

/** Streams an endless response, and logs how it notices that its client disconnected. */
const ENDLESS = `export default {
  fetch(request) {
    request.signal.addEventListener("abort", () => console.log("signal"));
    return new Response(new ReadableStream({
      async pull(controller) {
        await scheduler.wait(1);
        controller.enqueue(new TextEncoder().encode("data: 1\\n\\n"));
      },
      cancel: () => console.log("cancel"),
    }));
  },
};`;

/** Forwards the provider's response without any code of this project. */
const BARE = `export default { fetch: (request, env) => fetch(env.UPSTREAM) };`;

async function start(
  worker: string,
  vars: Readonly<Record<string, string>> = {},
): Promise<RunningInterceptor> {
  const directory = await mkdtemp(join(tmpdir(), "worker-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const script = join(directory, "index.js");
  await writeFile(script, worker);
  const compatibilityFlags = ["enable_request_signal"];
  const settings = { compatibilityDate: "2026-10-01", compatibilityFlags, vars, analytics: [] };
  const running = await startInterceptor({}, { script, settings });
  onTestFinished(() => running.close());
  return running;
}

it("is the build of the requested package", () => {
  const [, date = ""] = /^\d+\.(\d{8})\.\d+$/.exec(workerdVersion()) ?? [];
  const printed = execFileSync(workerdBinary(), ["--version"], { encoding: "utf8" });
  expect(printed.replaceAll("-", "")).toContain(date);
});

/** The Worker's log after its client disconnected in the middle of a response, once the signal has been logged. */
async function logAfterDisconnect(running: RunningInterceptor): Promise<() => string[]> {
  const client = await openRaw(running.port);
  client.send({ target: "/" });
  await client.readUntil((text) => text.includes("data: 1"));
  client.destroy();
  const log = (): string[] => running.lines().map(({ message }) => message);
  await expect.poll(log, { timeout: 10_000 }).toContain("signal");
  return log;
}

it("aborts request.signal when a client disconnects", async () => {
  const log = await logAfterDisconnect(await start(ENDLESS));
  expect(log()).toContain("signal");
});

it(`${runsCancel ? "calls" : "never calls (cloudflare/workerd#6832)"} the stream's cancel as well`, async () => {
  const running = await start(ENDLESS);
  const log = await logAfterDisconnect(running);
  await running.flush();
  await expect.poll(() => log().includes("cancel"), { timeout: 10_000 }).toBe(runsCancel);
});

it("ends an aborted chunked response the way this build does, without any code of this project", async () => {
  const upstream = await startFakeUpstream();
  onTestFinished(() => upstream.close());
  const running = await start(BARE, { UPSTREAM: upstream.url });
  const received = Promise.withResolvers<void>();
  upstream.respondWith(
    respond.sseSteps([respond.body("data: 1\n\n"), respond.waitFor(received.promise), respond.reset()]),
  );
  const connection = await send(running.port, { target: "/" });
  await waitForBody(connection, "data: 1\n\n");
  received.resolve();
  const { complete, text } = await receive(connection);
  expect([complete, text()]).toEqual([hidesTruncation, "data: 1\n\n"]);
});
