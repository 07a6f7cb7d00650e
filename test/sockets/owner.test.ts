/* oxlint-disable vitest/expect-expect -- expectForwarded, expectRefusal and their like are assertions */
/** Part A of the catalogue: the owner header, as Coder Agents sends it unless said otherwise. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readOwnerHeader } from "../../src/gateway/initiator/owner-header.ts";
import { between, seededRandom } from "../support/rechunk.ts";
import { utf8, type HeaderPair } from "../support/wire.ts";
import { judgesHeads } from "../support/workerd-build.ts";
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

/** A call by Coder Agents with the service account's key. */
const agents = (
  headers: readonly HeaderPair[],
  target = CHAT,
  key: string = KEYS.service,
): Promise<Exchange> =>
  harness.send({ target, headers: [bearer(key), CODER_AGENTS_UA, ...headers], body: BODY });

/** The initiator is the actor, and nothing was asserted. */
async function expectActor(actor: string, attribution = "authenticated"): Promise<void> {
  const start = await harness.event("interception_start");
  expect([start.actor_id, start.initiator_id, start.attribution]).toEqual([actor, actor, attribution]);
  expect(await harness.events("initiator_override")).toEqual([]);
}

async function expectOverride(owner: string, actor = SERVICE): Promise<void> {
  const start = await harness.event("interception_start");
  const override = await harness.event("initiator_override");
  const who = { actor_id: actor, initiator_id: owner, attribution: "asserted" };
  expect(start).toMatchObject(who);
  expect(override).toMatchObject({ ...who, owner_id: owner, interception_id: start.interception_id });
  expect(await harness.events("initiator_override_rejected")).toEqual([]);
  const [point] = harness.interceptor.points("OVERRIDES");
  expect(point?.point.indexes).toEqual([owner]);
  expect(point?.point.blobs).toContain("asserted");
}

/** The actor stays; the event tells of the value only its length and a hash. */
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
describe("what the upstream proposal asks for", () => {
  it("A1 Coder Agents with a valid owner id: the owner is the initiator, and the override is recorded", async () => {
    const owner = newOwner();
    expectForwarded(await agents([ownerHeader(owner)]));
    await expectOverride(owner);
  });

  it("A3 Coder Agents without the header: the initiator is the actor", async () => {
    expectForwarded(await agents([]));
    await expectActor(SERVICE);
    expect(await harness.events("initiator_override_rejected")).toEqual([]);
  });

  it("A10 Coder Agents with an invalid owner id: the initiator is the actor", async () => {
    harness.registerSecret("not-a-uuid");
    expectForwarded(await agents([ownerHeader("not-a-uuid")]));
    await expectRejected("form", "not-a-uuid");
  });

  it("A6 another client with a valid owner id: the initiator is the actor", async () => {
    const owner = newOwner();
    harness.registerSecret(owner);
    const headers = [bearer(KEYS.service), ownerHeader(owner), ["User-Agent", "claude-code/1.0.0"]] as const;
    expectForwarded(await harness.send({ target: CHAT, headers, body: BODY }));
    await expectRejected("client", owner);
  });
});

describe("an owner header that counts", () => {
  it.each([
    "/openai/v1/chat/completions",
    "/openai/v1/responses",
    "/anthropic/v1/messages",
    "/v1/chat/completions",
    "/api/v2/ai-gateway/openai/v1/chat/completions",
    "/api/v2/aibridge/anthropic/v1/messages",
  ])("A1 a valid id by an actor that may assert is the initiator, on %s", async (target) => {
    const owner = newOwner();
    expectForwarded(await agents([ownerHeader(owner)], target));
    await expectOverride(owner);
    const end = await harness.event("interception_end");
    expect([end.initiator_id, end.actor_id, end.attribution]).toEqual([owner, SERVICE, "asserted"]);
  });

  it("A1 a passthrough is on the owner's account too", async () => {
    const owner = newOwner();
    expectForwarded(await agents([ownerHeader(owner)], "/openai/v1/embeddings"));
    const passthrough = await harness.event("passthrough");
    expect([passthrough.initiator_id, passthrough.actor_id]).toEqual([owner, SERVICE]);
    expect(await harness.event("initiator_override")).toMatchObject({ owner_id: owner, actor_id: SERVICE });
  });

  it("A1 a client's own provider key may assert where anyone may: the actor is the key's fingerprint", async () => {
    const owner = newOwner();
    expectForwarded(await agents([ownerHeader(owner)], "/own-openai/v1/chat/completions", OWN.openai));
    await expectOverride(owner, `byok:${sha256(OWN.openai).slice(0, 32)}`);
  });

  it("A1 of many at once, each keeps its own: by several actors, with an owner, a bad one, and none", async () => {
    // The attack: an answer's worth of state that two requests share, so that one is charged to the other's owner.
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
  ])("A2 %s is the same initiator as lower case, in lower case", async (_, spell) => {
    const owner = newOwner();
    expect(spell(owner)).not.toBe(owner);
    expectForwarded(await agents([ownerHeader(spell(owner))]));
    await expectOverride(owner);
  });

  it.each([
    ["blanks before", "  %"],
    ["blanks behind", "%   "],
    ["a tab on either side", "\t%\t"],
    ["blanks and tabs", " \t %\t \t"],
  ])("A13 %s are trimmed", async (_, template) => {
    const owner = newOwner();
    expectForwarded(await agents([ownerHeader(template.replace("%", owner))]));
    await expectOverride(owner);
  });

  it("A18 naming the header in Connection does not make the owner disappear", async () => {
    // The attack: a caller that has its own owner header dropped as hop-by-hop spends on the shared account, unseen.
    const owner = newOwner();
    expectForwarded(await agents([["Connection", "keep-alive, X-Coder-Owner-Id"], ownerHeader(owner)]));
    await expectOverride(owner);
  });

  it("A20 the actor's name stays with the actor: nothing says that it is the owner's", async () => {
    const owner = newOwner();
    expectForwarded(await agents([ownerHeader(owner)]));
    await expectOverride(owner);
    const start = await harness.event("interception_start");
    expect(start.metadata).toEqual({ actor_name: "Service account of Coder Agents" });
    expect([start.actor_kind, start.api_key_id]).toEqual(["service", sha256(KEYS.service).slice(0, 16)]);
  });
});

describe("an owner header that says nothing", () => {
  it("A3 absent: the initiator is the actor, and there is no event", async () => {
    expectForwarded(await agents([]));
    await expectActor(SERVICE);
    expect(harness.interceptor.points("OVERRIDES")).toEqual([]);
  });

  it.each([
    ["empty", ""],
    ["blanks", "    "],
    ["tabs", "\t\t"],
  ])("A4 %s: as absent", async (_, value) => {
    expectForwarded(await agents([ownerHeader(value)]));
    await expectActor(SERVICE);
    expect(await harness.events("initiator_override_rejected")).toEqual([]);
  });

  it.each([
    ["in lower case", ALICE],
    ["in upper case", ALICE.toUpperCase()],
  ])("A19 the actor's own id %s is no override", async (_, value) => {
    expectForwarded(await agents([ownerHeader(value)], CHAT, KEYS.user));
    await expectActor(ALICE);
    expect(harness.interceptor.points("OVERRIDES")).toEqual([]);
  });

  it("A17 X_Coder_Owner_Id is not read and not forwarded", async () => {
    // The attack: servers that read CGI-style names take `_` for `-`, so a caller could say one thing to us and
    // another to whatever reads the header after us.
    harness.registerSecret(newOwner());
    expectForwarded(await agents([["X_Coder_Owner_Id", newOwner()]]));
    await expectActor(SERVICE);
    expect(await harness.events("initiator_override_rejected")).toEqual([]);
  });

  it("A17 X_Coder_Owner_Id beside the real header changes nothing", async () => {
    const owner = newOwner();
    const other = newOwner();
    harness.registerSecret(other);
    expectForwarded(await agents([["X_Coder_Owner_Id", other], ownerHeader(owner)]));
    await expectOverride(owner);
  });
});

/** One case; `values` are those of one header each. */
type Rejected = {
  readonly id: string;
  readonly what: string;
  readonly values: readonly string[];
  readonly reason: string;
  /** What must be told nowhere; the values, unless a piece of them stands in every event. */
  readonly untold?: readonly string[];
};

const once = (id: string, what: string, value: string, reason: string, ...untold: string[]): Rejected => ({
  id,
  what,
  values: [value],
  reason,
  ...(untold.length > 0 && { untold }),
});
const twice = (what: string, ...values: string[]): Rejected => ({
  id: "A11",
  what,
  values,
  reason: "multiple",
});
/** The id with another character at `at`. */
const put = (at: number, char: string, id = newOwner()): string => id.slice(0, at) + char + id.slice(at + 1);

const VERSIONS = ["1", "3", "5", "6", "7", "8", "0", "2", "9", "a", "f"].map((version) =>
  once("A8", `version ${version}`, put(14, version), "version"),
);
const VARIANTS = ["0", "7", "c", "e", "C", "f"].map((nibble) =>
  once("A9", `variant nibble ${nibble}`, put(19, nibble), "variant"),
);
const first = newOwner();
const second = newOwner();

const FORMS: readonly Rejected[] = [
  once("A7", "the nil id", "00000000-0000-0000-0000-000000000000", "version"),
  once("A7", "the max id", "ffffffff-ffff-ffff-ffff-ffffffffffff", "version"),
  ...VERSIONS,
  ...VARIANTS,
  once("A10", "a URN", `urn:uuid:${newOwner()}`, "form"),
  once("A10", "braces", `{${newOwner()}}`, "form"),
  once("A10", "bare digits", newOwner().replaceAll("-", ""), "form"),
  once("A10", "a letter on either side", `x${newOwner()}y`, "form"),
  once("A10", "quotes", `"${newOwner()}"`, "form"),
  once("A10", "a digit too many", `${newOwner()}0`, "form"),
  once("A10", "a digit too few", newOwner().slice(0, -1), "form"),
  once("A10", "a hyphen in another place", `${newOwner().replaceAll("-", "").slice(0, 32)}----`, "form"),
  once("A10", "a name", "alice@example.com (owner)", "form"),
  once("A10", "a parameter", `${newOwner()};v=1`, "form"),
  twice("the header twice, the same", first, first),
  twice("the header twice, different", first, second),
  twice("the header twice, once empty", "", second),
  twice("the header three times", first, "", second),
  once("A12", "a comma before", `, ${newOwner()}`, "multiple"),
  once("A12", "a comma behind", `${newOwner()},`, "multiple"),
  once("A12", "a comma alone", ",", "multiple"),
  once("A14", "a no-break space before (UTF-8)", utf8(`\u00a0${newOwner()}`), "form"),
  once("A14", "a no-break space behind (Latin-1)", `${newOwner()}\xa0`, "form"),
  once("A14", "a zero-width space behind", utf8(`${newOwner()}\u200b`), "form"),
  once("A14", "a byte order mark before", utf8(`\ufeff${newOwner()}`), "form"),
  once("A14", "a tab inside", put(13, "\t"), "form"),
  once("A14", "a vertical tab before", `\v${newOwner()}`, "form"),
  once("A14", "a full-width digit", utf8(put(3, "\uff11")), "form"),
  once("A14", "a Cyrillic а", utf8(put(19, "\u0430")), "form"),
  once("A14", "a letter that upper-cases to a digit's neighbour", utf8(put(2, "\u0131")), "form"),
  once("A14", "Latin-1 bytes", put(3, "\xe9"), "form"),
  once("A14", "bytes that are no UTF-8", put(5, "\xff\xfe"), "form"),
  once("A15", "1 KB", "a1".repeat(512), "form"),
  once("A15", "16 KB", newOwner().repeat(455), "form"),
  once("A15", "100 KB", newOwner().repeat(2778), "form"),
  once("A16", "JSON that would close the record", `x"};{"forged":"owner"}`, "form"),
  once(
    "A16",
    "a whole event",
    '{"message":"interception log","record_type":"initiator_override","owner_id":"forged"}',
    "multiple",
    "forged",
  ),
  once("A16", "escaped line ends", "%0d%0a\\r\\n{forged-event-line}", "form"),
  once("A16", "terminal escapes", "\x1b[2K\x1b[1Aforged-terminal\x07\x08", "form"),
  once("A16", "Unicode line ends", utf8("forged\u2028event\u2029line\u0085end-of-it"), "form"),
  once("A16", "bidirectional overrides", utf8("\u202eforged-right-to-left\u202c"), "form"),
];

/** Sends the case's headers; what they say is from now on a secret. */
function refused({ values, untold = values }: Rejected): Promise<Exchange> {
  harness.registerSecret(
    ...untold.map((value) => decodedByWorker(value).trim()).filter((value) => value.length > 2),
  );
  return agents(values.map(ownerHeader));
}

describe("an owner header that does not count", () => {
  it.each(FORMS)("$id $what is rejected ($reason), told nowhere, and the actor stays", async (rejected) => {
    expectForwarded(await refused(rejected));
    await expectRejected(rejected.reason, rejected.values.map(decodedByWorker).join(", "));
  });

  it.each([
    ["Claude Code", "claude-cli/2.1.0 (external, cli)"],
    ["Codex", "codex_exec/0.169.0"],
    ["OpenCode", "opencode/1.18"],
    ["curl", "curl/8.5.0"],
    ["a browser that names it", "Mozilla/5.0 coder-agents/v2"],
  ])("A6 a valid id from another client (%s) is rejected (client)", async (_, userAgent) => {
    const owner = newOwner();
    harness.registerSecret(owner);
    const headers = [bearer(KEYS.service), ["User-Agent", userAgent], ownerHeader(owner)] as const;
    expectForwarded(await harness.send({ target: CHAT, headers, body: BODY }));
    await expectRejected("client", owner);
  });

  it("A6 what another client sends is not even read: garbage is rejected for the client too", async () => {
    harness.registerSecret("garbage-of-another-client");
    const headers = [bearer(KEYS.service), ownerHeader("garbage-of-another-client")] as const;
    expectForwarded(await harness.send({ target: CHAT, headers, body: BODY }));
    await expectRejected("client", "garbage-of-another-client");
  });

  it("A5 a key that may never assert is rejected (not_permitted) even where anyone may", async () => {
    const owner = newOwner();
    harness.registerSecret(owner);
    expectForwarded(await agents([ownerHeader(owner)], CHAT, KEYS.never));
    await expectRejected("not_permitted", owner, "never-asserts");
  });

  it.runIf(judgesHeads)("A16 a bare CR, a NUL and a folded line never reach the Worker", async () => {
    // The attack: one header value that becomes two log lines.
    for (const value of ["a\rforged: 1", "a\0forged", "a\r\n forged"]) {
      const { response, forwarded } = await agents([ownerHeader(value)]);
      expect([response.status, forwarded]).toEqual([400, []]);
    }
    await harness.interceptor.flush();
    expect(harness.interceptor.lines()).toEqual([]);
  });
});

describe("A15 long values", () => {
  // The attack: a pattern that looks for blanks at the end begins anew at each blank of a run in the middle, so that
  // its time grows with the square of the run's length. 100 KB of blanks then cost seconds of CPU per request.
  const SHAPES: readonly [string, (size: number) => string][] = [
    ["letters", (size) => "a".repeat(size)],
    [
      "ids",
      (size) =>
        newOwner()
          .repeat(Math.ceil(size / 36))
          .slice(0, size),
    ],
    ["blanks between two letters", (size) => `x${" ".repeat(size - 2)}y`],
    ["tabs between two letters", (size) => `x${"\t".repeat(size - 2)}y`],
    ["blanks and letters in turn", (size) => "x ".repeat(size / 2)],
    ["hyphens", (size) => "-".repeat(size)],
  ];
  it.each(SHAPES)("A15 a mebibyte of %s is refused without hanging on it", (what, shape) => {
    const value = shape(2 ** 20);
    const began = performance.now();
    const { kind } = withoutHanging(readOwnerHeader, value);
    console.log(`A15 1 MiB of ${what}: refused in ${(performance.now() - began).toFixed(1)} ms`);
    expect(kind).toBe("bad");
  });

  it.each(SHAPES)(
    "A15 100 KB of %s are rejected, in a record no longer than any other",
    async (what, shape) => {
      const value = shape(102_400).trim();
      const began = performance.now();
      expectForwarded(await agents([ownerHeader(value)]));
      console.log(`A15 100 KB of ${what}: a whole request in ${(performance.now() - began).toFixed(1)} ms`);
      await expectRejected("form", value);
      for (const { message } of harness.interceptor.lines()) expect(message.length).toBeLessThan(1500);
    },
  );
});

describe("the ids of chat, subchat and workspace", () => {
  const NAMES = ["X-Coder-Chat-Id", "X-Coder-Subchat-Id", "X-Coder-Workspace-Id"] as const;

  it("A21 well-formed ones are recorded in lower case, beside the owner", async () => {
    const owner = newOwner();
    const ids = NAMES.map(() => newOwner());
    const headers = NAMES.map((name, at): HeaderPair => [name, (ids[at] ?? "").toUpperCase()]);
    expectForwarded(await agents([ownerHeader(owner), ...headers]));
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
    ["odd bytes", "\xff\xfe\xfd forged-chat"],
    ["nothing", ""],
  ])("A21 malformed ones (%s) are dropped, and the owner is unaffected", async (_, value) => {
    const owner = newOwner();
    if (value.length > 2) harness.registerSecret(value);
    // Coder Agents' session is the chat: taken as text of up to 128 visible characters, so only subchat and workspace
    // hold what is to be told nowhere.
    const headers = NAMES.slice(1).map((name): HeaderPair => [name, value]);
    expectForwarded(await agents([ownerHeader(owner), ...headers]));
    await expectOverride(owner);
    const nothing = { chat_id: null, subchat_id: null, workspace_id: null };
    for (const type of ["interception_start", "interception_end", "initiator_override"] as const)
      expect(await harness.event(type)).toMatchObject(nothing);
  });

  it("A21 a malformed chat id is no chat, and no owner's matter", async () => {
    const owner = newOwner();
    expectForwarded(await agents([ownerHeader(owner), ["X-Coder-Chat-Id", "c5".repeat(5120)]]));
    await expectOverride(owner);
    const start = await harness.event("interception_start");
    expect([start.chat_id, start.client_session_id]).toEqual([null, null]);
  });
});

describe('with on_invalid = "reject"', () => {
  beforeAll(() => harness.configure({ vars: { OWNER_ASSERTION: { on_invalid: "reject" } } }));

  it.each(FORMS)("$id $what is refused with 400, and nothing is fetched", async (rejected) => {
    expectRefusal(await refused(rejected), 400, "owner_rejected");
    expect(await harness.events("interception_start")).toEqual([]);
    expect((await harness.event("initiator_override_rejected")).reason).toBe(rejected.reason);
    expect(await harness.event("refusal")).toMatchObject({ reason: "owner_rejected", actor_id: SERVICE });
  });

  it.each([
    ["/anthropic/v1/messages", "anthropic"],
    ["/anthropic/v1/messages/count_tokens", "anthropic"],
    ["/openai/v1/embeddings", "openai"],
  ] as const)("A10 so it is on %s, in that route's dialect", async (target, dialect) => {
    harness.registerSecret("not-an-owner-at-all");
    expectRefusal(await agents([ownerHeader("not-an-owner-at-all")], target), 400, "owner_rejected", dialect);
  });

  it("A5 and A6 likewise: an actor that may not, a client that is another", async () => {
    const owner = newOwner();
    harness.registerSecret(owner);
    expectRefusal(await agents([ownerHeader(owner)], CHAT, KEYS.never), 400, "owner_rejected");
    const headers = [bearer(KEYS.service), ["User-Agent", "curl/8.5.0"], ownerHeader(owner)] as const;
    expectRefusal(await harness.send({ target: CHAT, headers, body: BODY }), 400, "owner_rejected");
    const reasons = (await harness.events("initiator_override_rejected")).map(({ reason }) => reason);
    expect(reasons).toEqual(["not_permitted", "client"]);
  });

  it("A1 to A4 and A13 are taken as ever", async () => {
    const owner = newOwner();
    for (const value of [owner, owner.toUpperCase(), ` ${owner} `, "", "   "])
      expectForwarded(await agents([ownerHeader(value)]));
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
    ["a key that says it may", KEYS.permitted, "agents-permitted", CHAT],
    ["a listed fingerprint", OWN.openai, byok, "/own-openai/v1/chat/completions"],
  ])("A1 %s may assert", async (_, key, actor, target) => {
    const owner = newOwner();
    expectForwarded(await agents([ownerHeader(owner)], target, key));
    await expectOverride(owner, actor);
  });

  it.each([
    ["an actor that is not listed", KEYS.service, SERVICE],
    ["a key that says it may never", KEYS.never, "never-asserts"],
  ])("A5 %s may not: the actor stays, rejected (not_permitted)", async (_, key, actor) => {
    const owner = newOwner();
    harness.registerSecret(owner);
    expectForwarded(await agents([ownerHeader(owner)], CHAT, key));
    await expectRejected("not_permitted", owner, actor);
  });

  it("A5 a fingerprint that is not listed may not", async () => {
    const owner = newOwner();
    harness.registerSecret(owner);
    const key = "sk-someone-else-entirely-0123456789";
    harness.registerSecret(key);
    expectForwarded(await agents([ownerHeader(owner)], "/own-openai/v1/chat/completions", key));
    await expectActor(`byok:${sha256(key).slice(0, 32)}`, "unverified");
    expect((await harness.event("initiator_override_rejected")).reason).toBe("not_permitted");
  });

  it("A5 who may not assert learns nothing of the value's form", async () => {
    harness.registerSecret("garbage-by-the-unlisted");
    expectForwarded(await agents([ownerHeader("garbage-by-the-unlisted")]));
    await expectRejected("not_permitted", "garbage-by-the-unlisted");
  });
});

describe('with allow = "off"', () => {
  beforeAll(() => harness.configure({ vars: { OWNER_ASSERTION: { allow: "off", actors: [SERVICE] } } }));

  it.each([
    ["any actor", KEYS.service, SERVICE],
    ["a key that says it may", KEYS.permitted, "agents-permitted"],
  ])("A5 nobody may assert, %s included", async (_, key, actor) => {
    const owner = newOwner();
    harness.registerSecret(owner);
    expectForwarded(await agents([ownerHeader(owner)], CHAT, key));
    await expectRejected("not_permitted", owner, actor);
  });
});

describe("a million generated values", () => {
  const DIGITS = "0123456789abcdef";

  /** What the header may say, written down again without a pattern: the owner's id, or null. */
  function expected(sent: string): string | null {
    let from = 0;
    let to = sent.length;
    const blank = (at: number): boolean => sent[at] === " " || sent[at] === "\t";
    while (from < to && blank(from)) from += 1;
    while (to > from && blank(to - 1)) to -= 1;
    if (to - from !== 36) return null;
    let id = "";
    for (let at = 0; at < 36; at += 1) {
      const char = sent.charAt(from + at);
      const lower =
        char >= "A" && char <= "F" ? DIGITS.charAt(DIGITS.indexOf("a") + "ABCDEF".indexOf(char)) : char;
      const hyphen = at === 8 || at === 13 || at === 18 || at === 23;
      if (hyphen ? char !== "-" : !DIGITS.includes(lower)) return null;
      if (at === 14 && lower !== "4") return null;
      if (at === 19 && !"89ab".includes(lower)) return null;
      id += lower;
    }
    return id;
  }

  const LOOKED_AT = [8, 13, 14, 18, 19, 23];
  const ODD = " \t,-{}:xgGzZ\u00a0\u0430\uff11\u0131\u212a\u017f\n\r\0\u2028é";

  /** Mostly ids, most of them with a flaw or two; half of the flaws at the places that are looked at. */
  function generate(random: () => number): string {
    const digit = () => DIGITS.charAt(between(random, 0, 15));
    let id = "";
    for (let at = 0; at < 36; at += 1) {
      if (at === 8 || at === 13 || at === 18 || at === 23) id += "-";
      else if (at === 14) id += "4";
      else if (at === 19) id += "89ab".charAt(between(random, 0, 3));
      else id += random() < 0.2 ? digit().toUpperCase() : digit();
    }
    for (let flaws = between(random, 0, 2); flaws > 0; flaws -= 1) {
      const at = random() < 0.5 ? (LOOKED_AT.at(between(random, 0, 5)) ?? 0) : between(random, 0, id.length);
      const char = random() < 0.5 ? digit() : ODD.charAt(between(random, 0, ODD.length - 1));
      const kind = random();
      const past = kind < 0.6 ? at + 1 : kind < 0.8 ? at : at + 1;
      id = id.slice(0, at) + (kind < 0.8 ? char : "") + id.slice(past);
    }
    const pad = random();
    return pad < 0.9
      ? id
      : pad < 0.95
        ? ` ${id}\t`
        : `${ODD.charAt(between(random, 0, ODD.length - 1))}${id} `;
  }

  it("A1 to A14: the header's reader agrees with an independent check that uses no regular expression", () => {
    const random = seededRandom(20_261_123);
    let taken = 0;
    for (let count = 0; count < 1_000_000; count += 1) {
      const sent = generate(random);
      const read = readOwnerHeader(sent);
      const id = read.kind === "owner" ? read.id : null;
      // Not expect() a million times over: it would take minutes.
      if (id !== expected(sent))
        throw new Error(`${JSON.stringify(sent)} was read as ${JSON.stringify(read)}`);
      if (id !== null) taken += 1;
    }
    expect(taken).toBeGreaterThan(300_000);
    expect(taken).toBeLessThan(700_000);
  });
});
