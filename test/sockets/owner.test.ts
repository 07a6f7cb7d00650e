/* oxlint-disable vitest/expect-expect -- expectForwarded, expectRefusal and similar helpers are assertions */
/** Part A of the catalogue: the owner header. Requests come from Coder Agents unless a case states otherwise. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readOwnerHeader } from "../../src/gateway/initiator/owner-header.ts";
import { utf8, type HeaderPair } from "../support/wire.ts";
import { validatesHeads } from "../support/workerd-build.ts";
import {
  ALICE,
  decodedByWorker,
  bearer,
  BODY,
  CODER_AGENTS_UA,
  expectForwarded,
  expectRefusal,
  KEYS,
  newOwner,
  openCaseHarness,
  ownerHeader,
  OWN,
  SERVICE,
  sha256,
  withoutHanging,
  type Exchange,
  type CaseHarness,
} from "./case-harness.ts";

let harness: CaseHarness;
beforeAll(async () => void (harness = await openCaseHarness()));
beforeEach(() => harness.reset());
afterEach(() => harness.check());
afterAll(() => harness.close());

const CHAT = "/openai/v1/chat/completions";

/** Sends a request as Coder Agents, with the service account's key by default. */
const sendAsAgents = (
  headers: readonly HeaderPair[],
  target = CHAT,
  key: string = KEYS.service,
): Promise<Exchange> =>
  harness.send({ target, headers: [bearer(key), CODER_AGENTS_UA, ...headers], body: BODY });

/** Checks that the initiator is the actor and that no override was recorded. */
async function expectActor(actor: string, attribution = "authenticated"): Promise<void> {
  const start = await harness.event("interception_start");
  expect([start.actor_id, start.initiator_id, start.attribution]).toEqual([actor, actor, attribution]);
  expect(await harness.events("initiator_override")).toEqual([]);
}

async function expectOverride(owner: string, actor = SERVICE): Promise<void> {
  const start = await harness.event("interception_start");
  const override = await harness.event("initiator_override");
  // A fingerprint is no verified actor.
  const attribution = actor.startsWith("byok:") ? "claimed" : "asserted";
  const attributed = { actor_id: actor, initiator_id: owner, attribution };
  expect(start).toMatchObject(attributed);
  expect(override).toMatchObject({ ...attributed, owner_id: owner, interception_id: start.interception_id });
  expect(await harness.events("initiator_override_rejected")).toEqual([]);
  const [point] = harness.interceptor.points("OVERRIDES");
  expect(point?.point.indexes).toEqual([owner]);
  expect(point?.point.blobs).toContain(attribution);
}

/** Checks that the actor stays the initiator. The event holds only the length and a hash of the rejected value. */
async function expectRejected(reason: string, value: string, actor = SERVICE): Promise<void> {
  await expectActor(actor);
  expect(await harness.event("initiator_override_rejected")).toMatchObject({
    reason,
    actor_id: actor,
    initiator_id: actor,
    value_length: value.length,
    value_sha256: sha256(value).slice(0, 16),
  });
}

/** The four cases of https://github.com/coder/aibridge/pull/244. */
describe("the cases of the upstream proposal", () => {
  it("A1 takes the owner as the initiator and records the override when Coder Agents sends a valid owner id", async () => {
    const owner = newOwner();
    expectForwarded(await sendAsAgents([ownerHeader(owner)]));
    await expectOverride(owner);
  });

  it("A3 takes the actor as the initiator when Coder Agents sends no owner header", async () => {
    expectForwarded(await sendAsAgents([]));
    await expectActor(SERVICE);
    expect(await harness.events("initiator_override_rejected")).toEqual([]);
  });

  it("A10 takes the actor as the initiator when Coder Agents sends an invalid owner id", async () => {
    harness.registerSecret("not-a-uuid");
    expectForwarded(await sendAsAgents([ownerHeader("not-a-uuid")]));
    await expectRejected("form", "not-a-uuid");
  });

  it("A6 takes the actor as the initiator when another client sends a valid owner id", async () => {
    const owner = newOwner();
    harness.registerSecret(owner);
    const headers = [bearer(KEYS.service), ownerHeader(owner), ["User-Agent", "claude-code/1.0.0"]] as const;
    expectForwarded(await harness.send({ target: CHAT, headers, body: BODY }));
    await expectRejected("client", owner);
  });
});

describe("an accepted owner header", () => {
  it.each([
    "/openai/v1/chat/completions",
    "/openai/v1/responses",
    "/anthropic/v1/messages",
    "/v1/chat/completions",
    "/api/v2/ai-gateway/openai/v1/chat/completions",
    "/api/v2/aibridge/anthropic/v1/messages",
  ])("A1 accepts a valid id from an actor that may assert, on %s", async (target) => {
    const owner = newOwner();
    expectForwarded(await sendAsAgents([ownerHeader(owner)], target));
    await expectOverride(owner);
    const end = await harness.event("interception_end");
    expect([end.initiator_id, end.actor_id, end.attribution]).toEqual([owner, SERVICE, "asserted"]);
  });

  it("A1 attributes a passthrough to the owner too", async () => {
    const owner = newOwner();
    expectForwarded(await sendAsAgents([ownerHeader(owner)], "/openai/v1/files"));
    const passthrough = await harness.event("passthrough");
    expect([passthrough.initiator_id, passthrough.actor_id]).toEqual([owner, SERVICE]);
    expect(await harness.event("initiator_override")).toMatchObject({ owner_id: owner, actor_id: SERVICE });
  });

  it("A1 accepts an assertion by a client's own provider key, whose fingerprint is the actor, when any actor may assert", async () => {
    const owner = newOwner();
    expectForwarded(await sendAsAgents([ownerHeader(owner)], "/own-openai/v1/chat/completions", OWN.openai));
    await expectOverride(owner, `byok:${sha256(OWN.openai).slice(0, 32)}`);
  });

  it("A1 keeps concurrent requests apart: several actors, with a valid owner, an invalid owner and none", async () => {
    // The attack: per-request state that two concurrent requests share, so that one is charged to the other's owner.
    const actors = [
      [KEYS.service, SERVICE],
      [KEYS.permitted, "agents-permitted"],
      [KEYS.user, ALICE],
    ] as const;
    const calls = Array.from({ length: 90 }, (_, at) => {
      const [key, actor] = actors[at % 3] ?? actors[0];
      const owner = newOwner();
      const [header, initiator] = [
        [ownerHeader(owner), owner],
        [ownerHeader(`${owner}-no-owner`), actor],
        [ownerHeader(""), actor],
      ][Math.floor(at / 3) % 3] as [HeaderPair, string];
      const chat = newOwner();
      const headers: HeaderPair[] = [bearer(key), CODER_AGENTS_UA, header, ["X-Coder-Chat-Id", chat]];
      return { chat, expected: [actor, initiator], request: { target: CHAT, headers, body: BODY } };
    });
    const responses = await harness.sendInParallel(calls.map(({ request }) => request));
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
    const starts = await harness.events("interception_start");
    const recorded = new Map(starts.map((start) => [start.chat_id, [start.actor_id, start.initiator_id]]));
    expect(recorded).toEqual(new Map(calls.map(({ chat, expected }) => [chat, expected])));
    const points = harness.interceptor.points("INTERCEPTIONS").map(({ point }) => point.indexes?.[0]);
    expect(points.toSorted()).toEqual(calls.map(({ expected }) => expected[1]).toSorted());
    expect(await harness.events("initiator_override")).toHaveLength(30);
    expect(await harness.events("initiator_override_rejected")).toHaveLength(30);
  });

  it.each([
    ["upper case", (id: string) => id.toUpperCase()],
    ["mixed case", (id: string) => [...id].map((c, at) => (at % 2 ? c.toUpperCase() : c)).join("")],
  ])("A2 records an id in %s as the same initiator, in lower case", async (_, spell) => {
    const owner = newOwner();
    expect(spell(owner)).not.toBe(owner);
    expectForwarded(await sendAsAgents([ownerHeader(spell(owner))]));
    await expectOverride(owner);
  });

  it.each([
    ["leading spaces", "  %"],
    ["trailing spaces", "%   "],
    ["a tab on either side", "\t%\t"],
    ["spaces and tabs", " \t %\t \t"],
  ])("A13 trims %s", async (_, template) => {
    const owner = newOwner();
    expectForwarded(await sendAsAgents([ownerHeader(template.replace("%", owner))]));
    await expectOverride(owner);
  });

  it("A18 keeps the owner when the client names the header in Connection", async () => {
    // The attack: a caller that gets its own owner header dropped as hop-by-hop spends on the shared account, unnoticed.
    const owner = newOwner();
    expectForwarded(await sendAsAgents([["Connection", "keep-alive, X-Coder-Owner-Id"], ownerHeader(owner)]));
    await expectOverride(owner);
  });

  it("A20 records the actor's name for the actor and not for the owner", async () => {
    const owner = newOwner();
    expectForwarded(await sendAsAgents([ownerHeader(owner)]));
    await expectOverride(owner);
    const start = await harness.event("interception_start");
    expect(start.metadata).toEqual({ actor_name: "Service account of Coder Agents" });
    expect([start.actor_kind, start.api_key_id]).toEqual(["service", sha256(KEYS.service).slice(0, 16)]);
  });
});

describe("an absent or empty owner header", () => {
  it("A3 takes the actor as the initiator and records no override when the header is absent", async () => {
    expectForwarded(await sendAsAgents([]));
    await expectActor(SERVICE);
    expect(harness.interceptor.points("OVERRIDES")).toEqual([]);
  });

  it.each([
    ["an empty value", ""],
    ["spaces", "    "],
    ["tabs", "\t\t"],
  ])("A4 treats %s as absent", async (_, value) => {
    expectForwarded(await sendAsAgents([ownerHeader(value)]));
    await expectActor(SERVICE);
    expect(await harness.events("initiator_override_rejected")).toEqual([]);
  });

  it.each([
    ["in lower case", ALICE],
    ["in upper case", ALICE.toUpperCase()],
  ])("A19 records no override for the actor's own id %s", async (_, value) => {
    expectForwarded(await sendAsAgents([ownerHeader(value)], CHAT, KEYS.user));
    await expectActor(ALICE);
    expect(harness.interceptor.points("OVERRIDES")).toEqual([]);
  });

  it("A17 neither reads nor forwards X_Coder_Owner_Id", async () => {
    // The attack: servers that read CGI-style names treat `_` as `-`, so a caller could send one owner to the gateway
    // and another to the next reader of the header.
    harness.registerSecret(newOwner());
    expectForwarded(await sendAsAgents([["X_Coder_Owner_Id", newOwner()]]));
    await expectActor(SERVICE);
    expect(await harness.events("initiator_override_rejected")).toEqual([]);
  });

  it("A17 ignores X_Coder_Owner_Id next to the real header", async () => {
    const owner = newOwner();
    const other = newOwner();
    harness.registerSecret(other);
    expectForwarded(await sendAsAgents([["X_Coder_Owner_Id", other], ownerHeader(owner)]));
    await expectOverride(owner);
  });
});

/** A case of rejection. Each of `values` is sent in a header of its own. */
type RejectedCase = {
  readonly id: string;
  readonly label: string;
  readonly values: readonly string[];
  readonly reason: string;
  /** The texts that no record may contain: the values, unless every event contains part of them anyway. */
  readonly secrets?: readonly string[];
};

const single = (
  id: string,
  label: string,
  value: string,
  reason: string,
  ...secrets: string[]
): RejectedCase => ({
  id,
  label,
  values: [value],
  reason,
  ...(secrets.length > 0 && { secrets }),
});
const repeated = (label: string, ...values: string[]): RejectedCase => ({
  id: "A11",
  label,
  values,
  reason: "multiple",
});
/** An id whose character at `at` is replaced. */
const replaceAt = (at: number, char: string, id = newOwner()): string =>
  id.slice(0, at) + char + id.slice(at + 1);

const VERSIONS = ["1", "3", "5", "6", "7", "8", "0", "2", "9", "a", "f"].map((version) =>
  single("A8", `version ${version}`, replaceAt(14, version), "version"),
);
const VARIANTS = ["0", "7", "c", "e", "C", "f"].map((nibble) =>
  single("A9", `variant nibble ${nibble}`, replaceAt(19, nibble), "variant"),
);
const first = newOwner();
const second = newOwner();

const REJECTED: readonly RejectedCase[] = [
  single("A7", "the nil id", "00000000-0000-0000-0000-000000000000", "version"),
  single("A7", "the max id", "ffffffff-ffff-ffff-ffff-ffffffffffff", "version"),
  ...VERSIONS,
  ...VARIANTS,
  single("A10", "a URN", `urn:uuid:${newOwner()}`, "form"),
  single("A10", "braces", `{${newOwner()}}`, "form"),
  single("A10", "bare digits", newOwner().replaceAll("-", ""), "form"),
  single("A10", "a letter on either side", `x${newOwner()}y`, "form"),
  single("A10", "quotes", `"${newOwner()}"`, "form"),
  single("A10", "a digit too many", `${newOwner()}0`, "form"),
  single("A10", "a digit too few", newOwner().slice(0, -1), "form"),
  single(
    "A10",
    "hyphens in the wrong positions",
    `${newOwner().replaceAll("-", "").slice(0, 32)}----`,
    "form",
  ),
  single("A10", "a name", "alice@example.com (owner)", "form"),
  single("A10", "a parameter", `${newOwner()};v=1`, "form"),
  repeated("the header twice, the same", first, first),
  repeated("the header twice, different", first, second),
  repeated("the header twice, once empty", "", second),
  repeated("the header three times", first, "", second),
  single("A12", "a leading comma", `, ${newOwner()}`, "multiple"),
  single("A12", "a trailing comma", `${newOwner()},`, "multiple"),
  single("A12", "only a comma", ",", "multiple"),
  single("A14", "a leading no-break space (UTF-8)", utf8(`\u00a0${newOwner()}`), "form"),
  single("A14", "a trailing no-break space (Latin-1)", `${newOwner()}\xa0`, "form"),
  single("A14", "a trailing zero-width space", utf8(`${newOwner()}\u200b`), "form"),
  single("A14", "a leading byte order mark", utf8(`\ufeff${newOwner()}`), "form"),
  single("A14", "a tab inside", replaceAt(13, "\t"), "form"),
  single("A14", "a leading vertical tab", `\v${newOwner()}`, "form"),
  single("A14", "a full-width digit", utf8(replaceAt(3, "\uff11")), "form"),
  single("A14", "a Cyrillic а", utf8(replaceAt(19, "\u0430")), "form"),
  single("A14", "a letter that upper-cases to a digit's neighbor", utf8(replaceAt(2, "\u0131")), "form"),
  single("A14", "Latin-1 bytes", replaceAt(3, "\xe9"), "form"),
  single("A14", "bytes that are not UTF-8", replaceAt(5, "\xff\xfe"), "form"),
  single("A15", "1 KB", "a1".repeat(512), "form"),
  single("A15", "16 KB", newOwner().repeat(455), "form"),
  single("A15", "100 KB", newOwner().repeat(2778), "form"),
  single("A16", "JSON that would close the record", `x"};{"forged":"owner"}`, "form"),
  single(
    "A16",
    "a whole event",
    '{"message":"interception log","record_type":"initiator_override","owner_id":"forged"}',
    "multiple",
    "forged",
  ),
  single("A16", "escaped line breaks", "%0d%0a\\r\\n{forged-event-line}", "form"),
  single("A16", "terminal escapes", "\x1b[2K\x1b[1Aforged-terminal\x07\x08", "form"),
  single("A16", "Unicode line separators", utf8("forged\u2028event\u2029line\u0085end-of-it"), "form"),
  single("A16", "bidirectional overrides", utf8("\u202eforged-right-to-left\u202c"), "form"),
];

/** Sends the case's headers. The later checks treat their values as secrets. */
function sendRejected({ values, secrets = values }: RejectedCase): Promise<Exchange> {
  harness.registerSecret(
    ...secrets.map((value) => decodedByWorker(value).trim()).filter((value) => value.length > 2),
  );
  return sendAsAgents(values.map(ownerHeader));
}

describe("a rejected owner header", () => {
  it.each(REJECTED)(
    "$id rejects $label ($reason), records its value nowhere and keeps the actor",
    async (rejected) => {
      expectForwarded(await sendRejected(rejected));
      await expectRejected(rejected.reason, rejected.values.map(decodedByWorker).join(", "));
    },
  );

  it.each([
    ["Claude Code", "claude-cli/2.1.0 (external, cli)"],
    ["Codex", "codex_exec/0.169.0"],
    ["OpenCode", "opencode/1.18"],
    ["curl", "curl/8.5.0"],
    ["a browser that mentions Coder Agents", "Mozilla/5.0 coder-agents/v2"],
  ])("A6 rejects a valid id from another client (%s) with reason client", async (_, userAgent) => {
    const owner = newOwner();
    harness.registerSecret(owner);
    const headers = [bearer(KEYS.service), ["User-Agent", userAgent], ownerHeader(owner)] as const;
    expectForwarded(await harness.send({ target: CHAT, headers, body: BODY }));
    await expectRejected("client", owner);
  });

  it("A6 rejects an invalid id from another client with reason client, without parsing it", async () => {
    harness.registerSecret("garbage-of-another-client");
    const headers = [bearer(KEYS.service), ownerHeader("garbage-of-another-client")] as const;
    expectForwarded(await harness.send({ target: CHAT, headers, body: BODY }));
    await expectRejected("client", "garbage-of-another-client");
  });

  it("A5 rejects an assertion by a key with assert = false (not_permitted), even when any other actor may assert", async () => {
    const owner = newOwner();
    harness.registerSecret(owner);
    expectForwarded(await sendAsAgents([ownerHeader(owner)], CHAT, KEYS.never));
    await expectRejected("not_permitted", owner, "never-asserts");
  });

  it.runIf(validatesHeads)(
    "A16 refuses a bare CR, a NUL and a folded line before the Worker runs",
    async () => {
      // The attack: one header value that becomes two log lines.
      for (const value of ["a\rforged: 1", "a\0forged", "a\r\n forged"]) {
        const { response, forwarded } = await sendAsAgents([ownerHeader(value)]);
        expect([response.status, forwarded]).toEqual([400, []]);
      }
      await harness.interceptor.flush();
      expect(harness.interceptor.lines()).toEqual([]);
    },
  );
});

/** By the record's type. */
function longestLines(): ReadonlyMap<string, number> {
  const lengths = new Map<string, number>();
  for (const { message } of harness.interceptor.lines()) {
    const [, type = ""] = /"record_type":"(\w+)"/.exec(message) ?? [];
    lengths.set(type, Math.max(lengths.get(type) ?? 0, message.length));
  }
  return lengths;
}

describe("A15 long values", () => {
  // The attack: a pattern that matches trailing spaces restarts at each space of a run in the middle. Its time grows
  // with the square of the run's length: 100 KB of spaces then cost seconds of CPU per request.
  const SHAPES: readonly [string, (size: number) => string][] = [
    ["letters", (size) => "a".repeat(size)],
    [
      "ids",
      (size) =>
        newOwner()
          .repeat(Math.ceil(size / 36))
          .slice(0, size),
    ],
    ["spaces between two letters", (size) => `x${" ".repeat(size - 2)}y`],
    ["tabs between two letters", (size) => `x${"\t".repeat(size - 2)}y`],
    ["alternating letters and spaces", (size) => "x ".repeat(size / 2)],
    ["hyphens", (size) => "-".repeat(size)],
  ];
  it.each(SHAPES)("A15 rejects 1 MiB of %s within the time limit", (name, shape) => {
    const value = shape(2 ** 20);
    const began = performance.now();
    const { kind } = withoutHanging(readOwnerHeader, value);
    console.log(`A15 1 MiB of ${name}: rejected in ${(performance.now() - began).toFixed(1)} ms`);
    expect(kind).toBe("bad");
  });

  it.each(SHAPES)("A15 rejects 100 KB of %s in a record of the usual length", async (name, shape) => {
    const value = shape(102_400).trim();
    const began = performance.now();
    expectForwarded(await sendAsAgents([ownerHeader(value)]));
    console.log(`A15 100 KB of ${name}: the request took ${(performance.now() - began).toFixed(1)} ms`);
    await expectRejected("form", value);
    const lengths = longestLines();
    harness.interceptor.clear();
    expectForwarded(await sendAsAgents([ownerHeader("x")]));
    // A count of the value's characters is in the record.
    const digits = String(value.length).length;
    await harness.interceptor.flush();
    for (const [type, length] of longestLines())
      expect(lengths.get(type)).toBeLessThanOrEqual(length + digits);
  });
});

describe("the chat, subchat and workspace ids", () => {
  const NAMES = ["X-Coder-Chat-Id", "X-Coder-Subchat-Id", "X-Coder-Workspace-Id"] as const;

  it("A21 records well-formed ids in lower case, next to the owner", async () => {
    const owner = newOwner();
    const ids = NAMES.map(() => newOwner());
    const headers = NAMES.map((name, at): HeaderPair => [name, (ids[at] ?? "").toUpperCase()]);
    expectForwarded(await sendAsAgents([ownerHeader(owner), ...headers]));
    await expectOverride(owner);
    const [chat_id, subchat_id, workspace_id] = ids;
    for (const type of ["interception_start", "interception_end", "initiator_override"] as const)
      expect(await harness.event(type)).toMatchObject({ chat_id, subchat_id, workspace_id });
  });

  it.each([
    ["a word", "not-a-uuid-at-all"],
    ["10 KB", "c4".repeat(5120)],
    ["two ids", `${newOwner()}, ${newOwner()}`],
    ["braces", `{${newOwner()}}`],
    ["JSON", '{"$gt":"forged-chat-id"}'],
    ["terminal escapes", "\x1b]0;forged-title\x07"],
    ["invalid UTF-8", "\xff\xfe\xfd forged-chat"],
    ["an empty value", ""],
  ])("A21 drops malformed ids (%s) and still accepts the owner", async (_, value) => {
    const owner = newOwner();
    if (value.length > 2) harness.registerSecret(value);
    // Coder Agents' session id is the chat id, recorded as text of up to 128 visible characters. So only the subchat and
    // workspace headers can carry a text that must not be recorded.
    const headers = NAMES.slice(1).map((name): HeaderPair => [name, value]);
    expectForwarded(await sendAsAgents([ownerHeader(owner), ...headers]));
    await expectOverride(owner);
    const dropped = { chat_id: null, subchat_id: null, workspace_id: null };
    for (const type of ["interception_start", "interception_end", "initiator_override"] as const)
      expect(await harness.event(type)).toMatchObject(dropped);
  });

  it("A21 drops a malformed chat id and still accepts the owner", async () => {
    const owner = newOwner();
    expectForwarded(await sendAsAgents([ownerHeader(owner), ["X-Coder-Chat-Id", "c5".repeat(5120)]]));
    await expectOverride(owner);
    const start = await harness.event("interception_start");
    expect([start.chat_id, start.client_session_id]).toEqual([null, null]);
  });
});

describe('with on_invalid = "reject"', () => {
  beforeAll(() => harness.configure({ vars: { OWNER_ASSERTION: { on_invalid: "reject" } } }));

  it.each(REJECTED)("$id refuses $label with 400 and fetches nothing", async (rejected) => {
    expectRefusal(await sendRejected(rejected), 400, "owner_rejected");
    expect(await harness.events("interception_start")).toEqual([]);
    expect((await harness.event("initiator_override_rejected")).reason).toBe(rejected.reason);
    expect(await harness.event("refusal")).toMatchObject({ reason: "owner_rejected", actor_id: SERVICE });
  });

  it.each([
    ["/anthropic/v1/messages", "anthropic"],
    ["/anthropic/v1/messages/count_tokens", "anthropic"],
    ["/openai/v1/embeddings", "openai"],
  ] as const)("A10 refuses an invalid owner id on %s in the route's dialect", async (target, dialect) => {
    harness.registerSecret("not-an-owner-at-all");
    expectRefusal(
      await sendAsAgents([ownerHeader("not-an-owner-at-all")], target),
      400,
      "owner_rejected",
      dialect,
    );
  });

  it("A5 and A6: refuses an actor that may not assert, and another client", async () => {
    const owner = newOwner();
    harness.registerSecret(owner);
    expectRefusal(await sendAsAgents([ownerHeader(owner)], CHAT, KEYS.never), 400, "owner_rejected");
    const headers = [bearer(KEYS.service), ["User-Agent", "curl/8.5.0"], ownerHeader(owner)] as const;
    expectRefusal(await harness.send({ target: CHAT, headers, body: BODY }), 400, "owner_rejected");
    const reasons = (await harness.events("initiator_override_rejected")).map(({ reason }) => reason);
    expect(reasons).toEqual(["not_permitted", "client"]);
  });

  it("A1 to A4 and A13: forwards valid, padded and empty values", async () => {
    const owner = newOwner();
    for (const value of [owner, owner.toUpperCase(), ` ${owner} `, "", "   "])
      expectForwarded(await sendAsAgents([ownerHeader(value)]));
    const initiators = (await harness.events("interception_start")).map((start) => start.initiator_id);
    expect(initiators).toEqual([owner, owner, owner, SERVICE, SERVICE]);
  });
});

describe('with allow = "listed"', () => {
  const byok = `byok:${sha256(OWN.openai).slice(0, 32)}`;
  beforeAll(() =>
    harness.configure({
      vars: { OWNER_ASSERTION: { allow: "listed", actors: [ALICE.toUpperCase(), byok] } },
    }),
  );

  it.each([
    ["a listed actor, listed in upper case", KEYS.user, ALICE, CHAT],
    ["a key with assert = true", KEYS.permitted, "agents-permitted", CHAT],
    ["a listed fingerprint", OWN.openai, byok, "/own-openai/v1/chat/completions"],
  ])("A1 accepts an assertion by %s", async (_, key, actor, target) => {
    const owner = newOwner();
    expectForwarded(await sendAsAgents([ownerHeader(owner)], target, key));
    await expectOverride(owner, actor);
  });

  it.each([
    ["an unlisted actor", KEYS.service, SERVICE],
    ["a key with assert = false", KEYS.never, "never-asserts"],
  ])("A5 rejects an assertion by %s (not_permitted) and keeps the actor", async (_, key, actor) => {
    const owner = newOwner();
    harness.registerSecret(owner);
    expectForwarded(await sendAsAgents([ownerHeader(owner)], CHAT, key));
    await expectRejected("not_permitted", owner, actor);
  });

  it("A5 rejects an assertion by an unlisted fingerprint", async () => {
    const owner = newOwner();
    harness.registerSecret(owner);
    const key = "sk-someone-else-entirely-0123456789";
    harness.registerSecret(key);
    expectForwarded(await sendAsAgents([ownerHeader(owner)], "/own-openai/v1/chat/completions", key));
    await expectActor(`byok:${sha256(key).slice(0, 32)}`, "unverified");
    expect((await harness.event("initiator_override_rejected")).reason).toBe("not_permitted");
  });

  it("A5 rejects an invalid id from an unlisted actor as not_permitted, which reveals nothing about the value's form", async () => {
    harness.registerSecret("garbage-by-the-unlisted");
    expectForwarded(await sendAsAgents([ownerHeader("garbage-by-the-unlisted")]));
    await expectRejected("not_permitted", "garbage-by-the-unlisted");
  });
});

describe('with allow = "off"', () => {
  beforeAll(() => harness.configure({ vars: { OWNER_ASSERTION: { allow: "off", actors: [SERVICE] } } }));

  it.each([
    ["any actor", KEYS.service, SERVICE],
    ["a key with assert = true", KEYS.permitted, "agents-permitted"],
  ])("A5 rejects an assertion by %s", async (_, key, actor) => {
    const owner = newOwner();
    harness.registerSecret(owner);
    expectForwarded(await sendAsAgents([ownerHeader(owner)], CHAT, key));
    await expectRejected("not_permitted", owner, actor);
  });
});
