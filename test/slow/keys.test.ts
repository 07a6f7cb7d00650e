/** `npm run keys` with a store, run as a command, and a Worker under `wrangler dev` that reads the same store. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { entryFor, sha256, type KeyEntry } from "../../tools/client-key.ts";
import { chooseKeys } from "../../tools/keys/choose.ts";
import type { StoredKey } from "../../tools/keys/store.ts";
import { twoFreePorts } from "../../tools/local/ports.ts";
import { runWrangler, startWorkers, waitUntilHealthy } from "../../tools/local/wrangler.ts";
import { json } from "../support/response-steps.ts";
import { PROJECT } from "../support/bundle.ts";
import { until } from "../support/deadline.ts";
import { startFakeUpstream, type FakeUpstream } from "../support/fake-upstream.ts";

let folder: string;
let storeOptions: readonly string[];
let upstream: FakeUpstream;
let url: string;
let stop: () => Promise<void>;
const printed: string[] = [];

const CENTRAL = "sk-central-0123456789";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "keys-"));
  upstream = await startFakeUpstream();
  const config = join(folder, "wrangler.json");
  await writeFile(config, JSON.stringify(wranglerConfig(upstream.url)));
  storeOptions = ["--config", config, "--persist-to", join(folder, "state")];
  const [port] = await twoFreePorts();
  url = `http://127.0.0.1:${port}`;
  const worker = startWorkers({
    port,
    envFiles: [],
    configs: [config],
    persistTo: join(folder, "state"),
    onEvent: () => undefined,
    onNotice: (line) => void printed.push(line),
  });
  stop = () => worker.end();
  await waitUntilHealthy(url, new AbortController().signal);
});
afterAll(async () => {
  await stop();
  await upstream.close();
  await rm(folder, { recursive: true, force: true });
});

function wranglerConfig(upstreamUrl: string): object {
  const base_url = `${upstreamUrl}/v1`;
  return {
    name: "with-a-store",
    main: join(PROJECT, "src/gateway/index.ts"),
    compatibility_date: "2026-10-01",
    compatibility_flags: ["enable_request_signal", "no_nodejs_compat"],
    kv_namespaces: [{ binding: "KEYS" }],
    vars: {
      PROVIDERS: { openai: { type: "openai", base_url, keys: ["CENTRAL_KEY"] } },
      // wrangler does not emulate KV's own cache, so a revoked key is rejected at once here.
      IDENTITY: [{ source: "keys", store: "KEYS", cache_ttl_s: 0 }],
      CENTRAL_KEY: CENTRAL,
    },
  };
}

type Run = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs `npm run keys` with these arguments, through its launcher. */
function keys(...args: readonly string[]): Promise<Run> {
  const command = [join(PROJECT, "tools/run.mjs"), "keys", ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}
const inStore = (...args: readonly string[]): Promise<Run> => keys(...args, ...storeOptions);

async function newKey(actor: string, ...more: readonly string[]): Promise<{ key: string; entry: KeyEntry }> {
  const { stdout, stderr } = await inStore("new", "--actor", actor, ...more, "--store", "--json");
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout) as { key: string; entry: KeyEntry };
}

async function statusOf(key: string): Promise<number> {
  upstream.respondWith(json(200, { object: "list", data: [] }));
  const response = await fetch(`${url}/openai/v1/models`, { headers: { authorization: `Bearer ${key}` } });
  await response.body?.cancel();
  return response.status;
}

const listed = async (): Promise<readonly StoredKey[]> =>
  JSON.parse((await inStore("list", "--json")).stdout) as StoredKey[];

/** Much longer than wrangler takes on a busy machine. */
const LINE_WITHIN_MS = 120_000;

/** A name of the maximum length, in characters of three bytes each. */
const NAME = "語".repeat(200);

describe("the lifecycle of a key in the store", () => {
  it("accepts a new key, lists its entry without the key, and rejects it once revoked", async () => {
    const { key, entry } = await newKey("alice", "--name", NAME, "--may-assert");
    expect(entry).toEqual({ sha256: sha256(key), actor: "alice", kind: "user", name: NAME, assert: true });
    expect(await statusOf(key)).toBe(200);
    const [request] = upstream.requests.slice(-1);
    expect(request?.values("authorization")).toEqual([`Bearer ${CENTRAL}`]);

    const list = await inStore("list");
    expect(list.stdout).toMatch(/^id +actor +kind +asserts +made +name\n/);
    expect(list.stdout).toMatch(
      new RegExp(`^${entry.sha256.slice(0, 16)} +alice +user +may +\\d{4}-\\d\\d-\\d\\d +${NAME}$`, "m"),
    );
    expect(list.stdout).not.toContain(key);

    const revoked = await inStore("revoke", entry.sha256.slice(0, 8));
    expect([revoked.code, revoked.stdout]).toEqual([
      0,
      expect.stringContaining(`Revoked ${entry.sha256.slice(0, 16)} of alice.`),
    ]);
    expect(await listed()).toEqual([]);
    expect(await statusOf(key)).toBe(401);
  });

  it("revokes all keys of one actor and no keys of other actors", async () => {
    const [first, second, other] = [await newKey("bob"), await newKey("bob"), await newKey("bobby")];
    expect((await inStore("revoke", "bob")).code).toBe(0);
    expect((await listed()).map((entryInStore) => entryInStore.sha256)).toEqual([other.entry.sha256]);
    expect([await statusOf(first.key), await statusOf(second.key), await statusOf(other.key)]).toEqual([
      401, 401, 200,
    ]);
  });

  it("rejects a key whose entry is invalid, and logs an error that names the entry", async () => {
    const { key, entry } = await newKey("erin");
    const invalid = JSON.stringify({ ...entry, kind: "CANARY" });
    const run = await runWrangler([
      "kv",
      "key",
      "put",
      entry.sha256,
      invalid,
      "--binding",
      "KEYS",
      "--local",
      ...storeOptions,
    ]);
    expect(run.ok).toBe(true);
    expect(await statusOf(key)).toBe(401);
    // wrangler prints the Worker's lines when it gets to them, and on a busy machine drops some.
    const error = await until(
      async () => {
        await statusOf(key);
        return printed.find((line) => line.includes(entry.sha256.slice(0, 16)));
      },
      () => `no error line:\n${printed.join("\n")}`,
      LINE_WITHIN_MS,
    );
    expect(error).toContain(String.raw`kind must be \"user\" or \"service\"`);
    expect(printed.join("\n")).not.toContain("CANARY");
  });
});

describe("a failing command prints one line on stderr and sets the exit code", () => {
  it.each([
    [["revoke", "mallory"], 1, /^No key has this id .*mallory\.\n$/],
    [["revoke", "0123abc"], 1, /^No key has this id/],
    [["revoke"], 2, /^revoke requires the id/],
    [["revoke", "a", "b"], 2, /^Unexpected argument "b"\./],
    [["list", "x"], 2, /^Unexpected argument "x"\./],
    [["list", "--local", "--remote"], 2, /exclude each other/],
    [["list", "--binding", "NOPE"], 1, /KV namespace NOPE/],
    [["new", "--actor", "a", "--local"], 2, /require --store/],
    [["new", "--actor", "byok:0"], 2, /is not a valid actor id/],
    [[], 2, /"new", "list", "revoke", "admin", "mac" or "seal"/],
    [["--nope"], 2, /--nope/],
  ])("%j", async (args, code, message) => {
    const run = await inStore(...args);
    expect([run.code, run.stdout]).toEqual([code, ""]);
    expect(run.stderr).toMatch(message);
    expect(run.stderr).not.toContain("\u001B");
    expect(run.stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  it("does not print a key that could not be stored", async () => {
    const { code, stdout, stderr } = await keys("new", "--actor", "a", "--store", "--binding", "NOPE");
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).not.toContain("aei_");
  });
});

const stored = (key: string, actor: string): StoredKey => {
  const { sha256: digest, ...about } = entryFor(key, { actor, kind: "user" });
  return { sha256: digest, about: { ...about, created: "2026-11-23T12:00:00.000Z" } };
};

describe("chooseKeys", () => {
  const [a, b] = [stored("aei_a", "alice"), stored("aei_b", "bob")];

  it("rejects an id that is ambiguous or is also an actor", () => {
    const twin = { ...b, sha256: a.sha256.slice(0, 12) + b.sha256.slice(12) };
    expect(chooseKeys(a.sha256.slice(0, 12), [a, twin])).toMatch(/beginning of several ids/);
    expect(chooseKeys(a.sha256.slice(0, 16), [a, twin])).toEqual([a]);
    const named = stored("aei_c", a.sha256.slice(0, 8));
    expect(chooseKeys(a.sha256.slice(0, 8), [a, named])).toMatch(/is an actor and also the beginning/);
  });

  it("matches a Coder user id in any case", () => {
    const user = stored("aei_u", "7f3c2a10-1234-4abc-9def-000000000001");
    expect(chooseKeys("7F3C2A10-1234-4ABC-9DEF-000000000001", [a, user])).toEqual([user]);
  });

  it("finds an entry without metadata by its id", () => {
    const bare = { ...a, about: null };
    expect(chooseKeys(a.sha256.slice(0, 8), [bare, b])).toEqual([bare]);
  });
});
