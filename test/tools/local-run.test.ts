/** The parts of `npm start` that need no wrangler. The whole command: test/slow/local-run.test.ts. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { sha256 } from "../../tools/client-key.ts";
import { LOCAL_ADMIN_TOKEN, LOCAL_EVENT_MAC_KEY, LOCAL_KEYS } from "../../tools/local-keys.ts";
import { checkDevVars, chooseSetup, modeOf, type Vars } from "../../tools/local/dev-vars.ts";
import { LOOPBACK_HOSTS } from "../../tools/local/local-configs.ts";
import { stateFolder } from "../../tools/local/state.ts";
import { UNDELIVERED_PATH, waitForDelivery, type Undelivered } from "../../tools/local/undelivered.ts";
import { counts, countingContext, countingQueue } from "../../tools/local/worker/count.ts";
import { hostRefusal } from "../../tools/local/worker/host-check.ts";
import { awaitDelivery } from "../../tools/report/undelivered.ts";

describe("a local run's check of the caller", () => {
  const HOSTS = [...LOOPBACK_HOSTS, "gateway.test"];
  const status = (headers: Readonly<Record<string, string>>): number | undefined =>
    hostRefusal(new Headers(headers), HOSTS)?.status;

  it.each(["localhost", "LOCALHOST:8787", "127.0.0.1:8787", "[::1]:8787", "gateway.test", "gateway.test:80"])(
    "accepts the host %s",
    (host) => {
      expect(status({ host })).toBeUndefined();
    },
  );

  // The attack (DNS rebinding): a page of evil.example, whose name resolves to 127.0.0.1 by now, reads the local records
  // with the published admin token. For the browser it is the page's own origin.
  it.each([
    "evil.example",
    "evil.example:8787",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil.example#localhost",
    "localhost@evil.example",
    "localhost,evil.example",
    "127.0.0.2",
    "0.0.0.0",
    "[::ffff:7f00:1]",
    "",
    "%",
  ])("Finding M15: refuses the host %j", (host) => {
    expect(status({ host })).toBe(403);
  });

  it.each([
    "http://localhost:3000",
    "https://gateway.test",
    "vscode-webview://1a2b",
    "chrome-extension://abc",
  ])("accepts the origin %s", (origin) => {
    expect(status({ host: "localhost", origin })).toBeUndefined();
  });

  // The attack: a page of evil.example sends a request to http://127.0.0.1:8787. It cannot read the response, but without
  // this check the gateway executes it. A sandboxed frame has the origin "null".
  it.each(["https://evil.example", "http://localhost.evil.example", "null", "", "https://"])(
    "refuses the origin %j",
    (origin) => {
      expect(status({ host: "localhost", origin })).toBe(403);
    },
  );

  it("names the option that accepts the host", async () => {
    const response = hostRefusal(new Headers({ host: "evil.example" }), HOSTS);
    expect(await response?.text()).toContain("npm start -- --allow-host evil.example");
  });
});

describe("the state of a local run", () => {
  const modes: readonly (readonly [string, Vars])[] = [
    ["real", { OPENAI_API_KEY: "sk-0123456789" }],
    ["own", { PROVIDERS: "{}" }],
  ];

  it.each(modes)(
    "Finding M15: is another one with %s providers than with the emulated provider",
    (mode, devVars) => {
      expect(modeOf(devVars)).toBe(mode);
      expect(stateFolder(modeOf(devVars))).not.toBe(stateFolder(modeOf({})));
    },
  );

  // The attack: rows of real calls, read with the token that this project's source publishes.
  it.each(modes)("Finding M15: never opens to the published token with %s providers", (_, gateway) => {
    const { adminToken, vars } = chooseSetup({ gateway, records: {} }, "http://127.0.0.1:8788");
    expect(adminToken).not.toBe(LOCAL_ADMIN_TOKEN);
    expect(vars.records["ADMIN_TOKEN"]).toBe(sha256(adminToken ?? ""));
    const published = { gateway, records: { ADMIN_TOKEN: sha256(LOCAL_ADMIN_TOKEN) } };
    expect(() => checkDevVars(published)).toThrow(
      ".dev.vars.records has an admin token which this project publishes",
    );
    const CLIENT_KEYS = JSON.stringify([{ sha256: sha256(LOCAL_KEYS.alice.key), actor: "a", kind: "user" }]);
    expect(() => checkDevVars({ gateway: { ...gateway, CLIENT_KEYS }, records: {} })).toThrow(
      ".dev.vars has a client key which this project publishes",
    );
  });
});

describe("the providers of a local run", () => {
  it("are those of PROVIDERS, by their type or by the preset that is named, or has their name", () => {
    const PROVIDERS = JSON.stringify({
      own: { type: "anthropic", base_url: "https://own.example" },
      groq: { keys: ["GROQ_KEY"] },
      eu: { preset: "azure", resource: "acme" },
      unknown: { keys: [] },
    });
    const { providers } = chooseSetup({ gateway: { PROVIDERS }, records: {} }, "http://127.0.0.1:8788");
    expect(providers).toEqual({
      own: { type: "anthropic" },
      groq: { type: "openai" },
      eu: { type: "azure" },
    });
  });
});

function keysOf(gateway: Vars, records: Vars = {}) {
  const { vars } = chooseSetup({ gateway, records }, "http://127.0.0.1:8788");
  return [vars.gateway["EVENT_MAC_KEY"], vars.records["EVENT_MAC_KEY"]];
}

describe("the key of the events' MACs in a local run", () => {
  it("is the same in both Workers: the published one with the emulated provider only", () => {
    expect(keysOf({})).toEqual([LOCAL_EVENT_MAC_KEY, LOCAL_EVENT_MAC_KEY]);
    const [gateway, records] = keysOf({ PROVIDERS: "{}" });
    expect(gateway).toMatch(/^aei_mac-[\w-]{43}$/);
    expect(gateway).not.toBe(LOCAL_EVENT_MAC_KEY);
    expect(records).toBe(gateway);
  });

  it("is the file's in the other Worker, too", () => {
    expect(keysOf({ EVENT_MAC_KEY: "of-the-file" })).toEqual([undefined, "of-the-file"]);
    expect(keysOf({}, { EVENT_MAC_KEY: "of-the-file" })).toEqual(["of-the-file", undefined]);
  });
});

/** A local run that reports these values, the last one for ever. */
async function fakeRun(...values: readonly Undelivered[]): Promise<string> {
  const left = [...values];
  const server = createServer((request, response) => {
    const value = left.length > 1 ? left.shift() : left[0];
    response.statusCode = request.url === UNDELIVERED_PATH && value ? 200 : 404;
    response.end(JSON.stringify(value ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => new Promise((resolve) => server.close(() => resolve())));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const DELIVERED = { requests: 0, events: 0 };

describe("the count of a local run", () => {
  it("has the events of a message from before it is sent, and not those of a message that the queue rejects", async () => {
    const seen: number[] = [];
    const before = counts.queued;
    const taking = countingQueue({
      send: async () => void seen.push(counts.queued - before),
      sendBatch: async () => void seen.push(counts.queued - before),
    } as unknown as Queue);
    const event = { record_type: "token_usage", interception_id: "01a22403-b486-7913-91a0-185c039c7964" };
    await taking.send(JSON.stringify([event, event]));
    await taking.sendBatch([{ body: JSON.stringify([event]) }, { body: "no event" }]);
    expect(seen).toEqual([2, 3]);
    const rejecting = countingQueue({ send: () => Promise.reject(new Error("429")) } as unknown as Queue);
    await expect(rejecting.send(JSON.stringify([event]))).rejects.toThrow("429");
    expect(counts.queued - before).toBe(3);
  });

  it("has a request until its background work has ended", async () => {
    const work = Promise.withResolvers<void>();
    const kept: Promise<unknown>[] = [];
    const original = { waitUntil: (promise: Promise<unknown>) => void kept.push(promise) };
    const { context, done } = countingContext(original as unknown as ExecutionContext);
    expect(counts.requests).toBe(1);
    context.waitUntil(work.promise);
    done();
    expect(counts.requests).toBe(1);
    work.resolve();
    await Promise.all(kept);
    expect(counts.requests).toBe(0);
  });
});

const printedFor = async (url: string): Promise<readonly string[]> => {
  const lines: string[] = [];
  await awaitDelivery(url, (line) => void lines.push(line));
  return lines;
};

describe("npm run report after a request to npm start", () => {
  it("waits for the events that are still queued", async () => {
    const url = await fakeRun({ requests: 1, events: 3 }, { requests: 0, events: 1 }, DELIVERED);
    expect(await printedFor(url)).toEqual(["Waiting for 1 running request and 3 queued events …"]);
  });

  it("says how many are missing after it has waited", async () => {
    expect(await printedFor(await fakeRun({ requests: 0, events: 2 }))).toEqual([
      "Waiting for 2 queued events …",
      "Not in the ledger yet, and missing below: 2 queued events.",
    ]);
  });

  it("prints nothing where nothing is queued, or the gateway is no local run", async () => {
    expect(await printedFor(await fakeRun(DELIVERED))).toEqual([]);
    expect(await printedFor(await fakeRun())).toEqual([]);
    expect(await printedFor("https://gateway.example")).toEqual([]);
  });

  it("does not wait for a run that has ended", async () => {
    const lines: string[] = [];
    const options = { withinMs: 1000, onWait: () => void lines.push("waits") };
    expect(await waitForDelivery("http://127.0.0.1:1", options)).toBeNull();
    expect(lines).toEqual([]);
  });
});
