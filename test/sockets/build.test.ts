/** Which workerd these tests run on, and what can be relied on there when a client leaves. */
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

/** Answers without end, and says what it hears of its client's leaving. */
const ENDLESS = `export default {
  fetch(request) {
    const say = (text) => console.log(text);
    request.signal.addEventListener("abort", () => say("signal"));
    return new Response(new ReadableStream({
      async pull(controller) {
        await scheduler.wait(1);
        controller.enqueue(new TextEncoder().encode("data: 1\\n\\n"));
      },
      cancel: () => say("cancel"),
    }));
  },
};`;

/** Nothing of ours: the provider's answer as it comes. */
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

it("is the build of the package that was asked for", () => {
  const [, date = ""] = /^\d+\.(\d{8})\.\d+$/.exec(workerdVersion()) ?? [];
  const said = execFileSync(workerdBinary(), ["--version"], { encoding: "utf8" });
  expect(said.replaceAll("-", "")).toContain(date);
});

/** What the Worker has heard of a client that leaves in the middle of an answer, once the signal is there. */
async function heardOfLeaving(running: RunningInterceptor): Promise<() => string[]> {
  const client = await openRaw(running.port);
  client.send({ target: "/" });
  await client.readUntil((text) => text.includes("data: 1"));
  client.destroy();
  const heard = (): string[] => running.lines().map(({ message }) => message);
  await expect.poll(heard, { timeout: 10_000 }).toContain("signal");
  return heard;
}

it("tells the Worker by request.signal that a client has left", async () => {
  const heard = await heardOfLeaving(await start(ENDLESS));
  expect(heard()).toContain("signal");
});

it.runIf(runsCancel)("tells it by the stream's cancel as well", async () => {
  const heard = await heardOfLeaving(await start(ENDLESS));
  await expect.poll(heard, { timeout: 10_000 }).toContain("cancel");
});

it.skipIf(runsCancel)("never calls the stream's cancel: this is a build with that fault", async () => {
  const running = await start(ENDLESS);
  const heard = await heardOfLeaving(running);
  await running.flush();
  expect(heard()).not.toContain("cancel");
});

it("ends an answer in chunks that has broken off as ever on this build, with none of our code in the way", async () => {
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
  const { complete: whole, text } = await receive(connection);
  expect([whole, text()]).toEqual([hidesTruncation, "data: 1\n\n"]);
});
