/** Scopes: each endpoint needs its own, and recorded content is for those who may read it. */
import { beforeEach, describe, expect, it } from "vitest";
import { ENDPOINTS } from "../../../src/records/api/endpoints.ts";
import type { Reader } from "../../../src/records/console/reader.ts";
import type { Scope } from "../../../src/shared/scopes.ts";
import { fetchApi, items, part, type ApiResponse } from "../../support/in-workerd/api-client.ts";
import {
  insert,
  interception,
  modelThought,
  T0,
  toolUsage,
  userPrompt,
} from "../../support/in-workerd/api-rows.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import type { LedgerRead } from "../../../src/records/ledger/write/record-read.ts";

const SECRET = "CONTENT-7f3a";
const DIGEST = "d1".repeat(32);
const CALL = interception(T0, {
  client_session_id: "s",
  error_message: SECRET,
  request_sha256: DIGEST,
  response_sha256: DIGEST,
  upload_sha256: DIGEST,
  prompt_hashes: JSON.stringify([DIGEST.slice(0, 32)]),
  earlier_prompt_hashes: JSON.stringify([DIGEST.slice(0, 32)]),
});

beforeEach(async () => {
  await emptyLedger();
  await insert("interceptions", [CALL]);
  await insert("user_prompts", [userPrompt(CALL, SECRET)]);
  await insert("tool_usages", [toolUsage(CALL, 0, { input: SECRET, invocation_error: SECRET })]);
  await insert("model_thoughts", [modelThought(CALL, 0, SECRET)]);
});

const readerWith = (...scopes: Scope[]): Reader => ({ by: "console:test", scopes });

const read = (path: string, reader: Reader, reads: LedgerRead[] = []): Promise<ApiResponse> =>
  fetchApi(path, { admit: () => Promise.resolve(reader), onRead: (one) => void reads.push(one) });

const CONTENT_PATHS = ["/sessions", "/sessions/s", "/interceptions"];

describe("the scope of an endpoint", () => {
  it("is declared by each, and only changes need admin", () => {
    const admin = ENDPOINTS.filter(({ scope }) => scope === "admin").map(({ path }) => path);
    expect(admin).toEqual(["/budgets/changes", "/spend/corrections"]);
    expect(new Set(ENDPOINTS.map(({ scope }) => scope))).toEqual(new Set(["read", "admin"]));
  });

  it("is needed: a reader without it is refused, regardless of its other scopes", async () => {
    for (const { path, isOfGateway } of ENDPOINTS) {
      if (isOfGateway) continue;
      const { status, refusal } = await read(path.replace(/\{\w+\}/, "s"), readerWith("content", "admin"));
      expect([path, status, refusal?.code]).toEqual([path, 403, "scope_missing"]);
    }
  });
});

describe("recorded content", () => {
  it.each(CONTENT_PATHS)("is in the response for those who may read it: %s", async (path) => {
    const reads: LedgerRead[] = [];
    const { text, json } = await read(path, readerWith("read", "content"), reads);
    expect(text).toContain(SECRET);
    expect(json).not.toHaveProperty("content_hidden");
    expect(reads).toEqual([expect.objectContaining({ action: "read_content", by: "console:test" })]);
  });

  // The attack: a reader who may see figures reads prompts, or digests that tell a short prompt.
  it.each(CONTENT_PATHS)("is null for others, and the response says so: %s", async (path) => {
    const reads: LedgerRead[] = [];
    const { status, text, json } = await read(path, readerWith("read", "admin"), reads);
    expect([status, part(json, "content_hidden")]).toEqual([200, true]);
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain(DIGEST.slice(0, 16));
    expect(reads).toEqual([expect.objectContaining({ action: "read" })]);
  });

  // The attack: reads of content hide among the many events of a page that shows none.
  it.each(CONTENT_PATHS)(
    "is left out, and its read recorded as `read`, with content=false: %s",
    async (path) => {
      const [reads, hidden]: [LedgerRead[], LedgerRead[]] = [[], []];
      const { text, json } = await read(`${path}?content=false`, readerWith("read", "content"), reads);
      expect(part(json, "content_hidden")).toBe(true);
      expect(json).toEqual((await read(path, readerWith("read"), hidden)).json);
      expect(text).not.toContain(SECRET);
      expect(text).not.toContain(DIGEST.slice(0, 16));
      expect(reads.map(({ action }) => action)).toEqual(["read"]);
      expect((await read(`${path}?content=true`, readerWith("read"))).json).toEqual(json);
    },
  );

  it.each(["/sessions", "/sessions/bare", "/interceptions"])(
    "was not read where the response has none: %s",
    async (path) => {
      await emptyLedger();
      await insert("interceptions", [
        interception(T0, { client_session_id: "bare", request_sha256: null, response_sha256: null }),
      ]);
      const reads: LedgerRead[] = [];
      const { json } = await read(path, readerWith("read", "content"), reads);
      expect(json).not.toHaveProperty("content_hidden");
      expect(reads.map(({ action, rows }) => [action, rows])).toEqual([["read", 1]]);
    },
  );

  it("is a parameter of the endpoints that have some, and only of those", () => {
    const paths = ENDPOINTS.filter(({ parameters }) => "content" in parameters).map(({ path }) => path);
    expect(paths).toEqual([
      "/sessions",
      "/sessions/{session_id}",
      "/interceptions",
      "/unauthenticated-events",
    ]);
  });

  it("has the same fields as null", async () => {
    const { json } = await read("/interceptions", readerWith("read"));
    const [found] = items(json, "results");
    expect(found).toMatchObject({
      id: CALL["id"],
      error_message: null,
      request_sha256: null,
      response_sha256: null,
      upload_sha256: null,
      prompt_hashes: null,
      earlier_prompt_hashes: null,
      user_prompts: [expect.objectContaining({ interception_id: CALL["id"], prompt: null })],
      tool_usages: [expect.objectContaining({ input: null, invocation_error: null })],
      model_thoughts: [expect.objectContaining({ content: null })],
    });
    const session = await read("/sessions/s", readerWith("read"));
    expect(session.json).toMatchObject({
      unrecorded_prompts: null,
      threads: [
        expect.objectContaining({
          prompt: null,
          agentic_actions: [
            expect.objectContaining({
              thinking: [{ text: null }],
              tool_calls: [expect.objectContaining({ input: null })],
            }),
          ],
        }),
      ],
    });
    const sessions = await read("/sessions", readerWith("read"));
    expect(part(sessions.json, "sessions", 0, "last_prompt")).toBeNull();
  });

  // The attack: a filter that matches tells what the content is, without showing it.
  it("cannot be found by a filter without the scope", async () => {
    const path = `/interceptions?request_sha256=${DIGEST}`;
    expect((await read(path, readerWith("read"))).refusal?.code).toBe("scope_missing");
    expect(part((await read(path, readerWith("read", "content"))).json, "count")).toBe(1);
    // Nor without the event `read_content`.
    const refused = await read(`${path}&content=false`, readerWith("read", "content"));
    expect([refused.status, part(refused.json, "validations", 0, "field")]).toEqual([400, "content"]);
  });

  // The attack: an auditor without the scope finds in /accesses the digest that another reader searched for.
  it("is not in the event of a read that filters by its digest", async () => {
    const reads: LedgerRead[] = [];
    const path = `/interceptions?request_sha256=${DIGEST}&model=claude-x`;
    await read(path, readerWith("read", "content"), reads);
    expect(reads.map(({ parameters }) => parameters)).toEqual([
      { request_sha256: "(hidden)", model: "claude-x" },
    ]);
  });

  // The attack: the refusal of a page that is too large tells how long the prompts are.
  it("does not show its length by the largest page", async () => {
    const long = "x".repeat(1_900_000);
    for (let n = 1; n < 6; n += 1) {
      const call = interception(T0 + n, { client_session_id: "s" });
      await insert("interceptions", [call]);
      await insert("user_prompts", [userPrompt(call, long)]);
    }
    for (const path of ["/interceptions", "/sessions/s"]) {
      expect([path, (await read(path, readerWith("read", "content"))).status]).toEqual([path, 400]);
      expect([path, (await read(path, readerWith("read"))).status]).toEqual([path, 200]);
    }
  });
});
