/** `npm run reprice` over a ledger in memory, and a gateway that stores what it is sent. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { correctionEvent, MAX_CORRECTIONS, type CorrectionFacts } from "../../src/events/cost-correction.ts";
import type { InterceptionEnd, InterceptorEvent, RetrievedUsage } from "../../src/events/event.ts";
import { PRICE_VERSION } from "../../src/shared/prices/price-table.ts";
import { createPricing } from "../../src/shared/prices/pricing.ts";
import { queryOf } from "../../tools/local/snapshot.ts";
import { toSql } from "../../tools/replay/sql.ts";
import { book, readArguments } from "../../tools/reprice.ts";
import { findCorrections, type Repricing } from "../../tools/reprice/find-corrections.ts";
import { readPriceRules } from "../../tools/reprice/price-rules.ts";
import { foundText } from "../../tools/reprice/print.ts";
import { readCalls } from "../../tools/reprice/read-calls.ts";
import { ROOT } from "../../tools/root.ts";
import { ATTEMPT, END, NO_TOKENS, RETRIEVED, START, TOOL } from "../support/in-workerd/events.ts";
import { idOf, T0 } from "../support/in-workerd/ledger-events.ts";

const HOUR = 3_600_000;
const DAY = "2026-11-23";
const place = { remote: false, environment: null, persistTo: undefined };
const FROM = Date.parse(`${DAY}T00:00:00Z`);

describe("npm run reprice reads", () => {
  it.each([
    [["--from", DAY], { place, from: FROM, to: null, apply: null }],
    [["--from", DAY, "--to", "2026-11-24"], { place, from: FROM, to: FROM + 24 * HOUR, apply: null }],
    [
      ["--from", DAY, "--apply", "--reason", "a price was wrong"],
      { place, from: FROM, to: null, apply: { url: "http://127.0.0.1:8787", reason: "a price was wrong" } },
    ],
    [
      ["--from", DAY, "--apply", "--reason", "r", "--remote", "--url", "https://ai.example.com/"],
      {
        place: { ...place, remote: true },
        from: FROM,
        to: null,
        apply: { url: "https://ai.example.com", reason: "r" },
      },
    ],
  ])("%j", (args, expected) => {
    expect(readArguments(args)).toEqual(expected);
  });

  it.each([
    [[], "--from is required"],
    [["--from", "2026-11-31"], "--from is required"],
    [["--from", DAY, "--to", DAY], "--to must be later"],
    [["--from", DAY, "--apply"], "--apply requires --reason"],
    [["--from", DAY, "--reason", "r"], "require --apply"],
    [["--from", DAY, "--apply", "--reason", "r".repeat(201)], "at most 200"],
    [["--from", DAY, "--apply", "--reason", "r", "--remote"], "requires --url"],
    [["--from", DAY, "--apply", "--reason", "r", "--url", "x"], "--url must be a URL"],
    [["--from", DAY, "--remote", "--local"], "--remote excludes"],
  ])("no %j", (args, issue) => {
    expect(readArguments(args)).toContain(issue);
  });
});

let database: DatabaseSync;
const store = (...events: readonly InterceptorEvent[]): void => {
  const entries = events.map((event) => ({ event, via: "q", macKeyId: null, storedAt: T0 }) as const);
  database.exec(toSql(entries));
};

beforeEach(() => {
  database = new DatabaseSync(":memory:");
  for (const file of readdirSync(join(ROOT, "migrations")).toSorted())
    database.exec(readFileSync(join(ROOT, "migrations", file), "utf8"));
});
afterEach(() => database.close());

const PROVIDERS = {
  openai: { type: "openai", base_url: "https://api.openai.com/v1" },
  backup: { type: "openai", base_url: "https://backup.example/v1" },
};
/** The prices of a million tokens. */
const priced = (input: number, output: number) => ({ openai: { models: { "our-*": { input, output } } } });

const find = (PRICES?: object): Promise<Repricing> =>
  findCorrections(
    readCalls(queryOf(database), { from: FROM, to: FROM + 24 * HOUR }),
    createPricing(readPriceRules({ PROVIDERS, ...(PRICES && { PRICES }) })),
  );

const UNPRICED = { cost_micros: null, cost_source: "unpriced", price_version: null } as const;
const USED = {
  usage: "final",
  usage_metadata: {},
  input_tokens: 1_000_000,
  output_tokens: 100_000,
  cache_read_input_tokens: null,
  cache_write_input_tokens: null,
} as const;

function call(n: number, values: Partial<InterceptionEnd> = {}): InterceptorEvent[] {
  const model = { model: "our-model", provider: "openai" };
  const end = {
    ...END,
    ...model,
    response_model: null,
    outcome: "completed",
    tool_call_count: 0,
    ...USED,
  } as const;
  return [
    { ...START, ...model, interception_id: idOf(n) },
    { ...end, ...UNPRICED, ...values, interception_id: idOf(n) },
  ];
}

const retrieved = (n: number, values: Partial<RetrievedUsage> = {}): RetrievedUsage => ({
  ...RETRIEVED,
  ...USED,
  metadata: {},
  provider: "openai",
  response_model: "our-model",
  price_terms: {},
  ...UNPRICED,
  ...values,
  interception_id: idOf(n),
});

/** Responds like the gateway, and stores the events like the records Worker. */
async function gateway(): Promise<{
  readonly url: string;
  readonly bodies: unknown[];
  readonly server: Server;
}> {
  const bodies: { readonly cause: string; readonly corrections: readonly CorrectionFacts[] }[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const sent = JSON.parse(body) as (typeof bodies)[number];
      bodies.push(sent);
      store(
        ...sent.corrections.map((facts) => correctionEvent(facts, { cause: sent.cause, by: "token:0" }, T0)),
      );
      response.end(JSON.stringify({ recorded: sent.corrections.length, path: request.url }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies, server };
}

const sums = (): unknown =>
  database.prepare("SELECT SUM(json_array_length(deltas)) AS moves FROM journal").get();
const corrections = (): unknown[] =>
  database
    .prepare(
      "SELECT interception_id AS id, position, cost_micros FROM cost_corrections ORDER BY interception_id, id",
    )
    .all();

describe("npm run reprice", () => {
  it("prices a model whose price has become known, books it once, and chains the next price", async () => {
    store(...call(1), ...call(2, { model: "another" }));
    expect((await find()).corrections).toEqual([]);
    const found = await find(priced(2, 10));
    expect(found.corrections).toMatchObject([
      {
        interception_id: idOf(1),
        position: 0,
        corrects: "interception_end",
        cost_micros: 3_000_000,
        cost_source: "computed",
        former_cost_micros: null,
        former_cost_source: "unpriced",
        former_price_version: null,
      },
    ]);
    expect(found.corrections[0]?.price_version).toMatch(new RegExp(`^${PRICE_VERSION}\\+[0-9a-f]{8}$`));
    const { url, bodies } = await gateway();
    await book(found.corrections, { url, reason: "the price is known" });
    // Sent twice, as after an interruption: it is the same event.
    await book(found.corrections, { url, reason: "again" });
    expect(bodies).toMatchObject([{ cause: "the price is known" }, { cause: "again" }]);
    expect(corrections()).toEqual([{ id: idOf(1), position: 0, cost_micros: 3_000_000 }]);
    expect((await find(priced(2, 10))).corrections).toEqual([]);

    const dearer = await find(priced(3, 10));
    expect(dearer.corrections).toMatchObject([
      { position: 1, cost_micros: 4_000_000, former_cost_micros: 3_000_000, former_cost_source: "computed" },
    ]);
    await book(dearer.corrections, { url, reason: "it was higher" });
    expect((await find(priced(3, 10))).corrections).toEqual([]);
    expect((await find()).corrections).toMatchObject([
      { position: 2, cost_micros: null, cost_source: "unpriced" },
    ]);
    expect(sums()).not.toEqual({ moves: 0 });
  });

  it("leaves a response from the cache of AI Gateway at the cost of nothing, also with a new price", async () => {
    store(...call(1, { cost_micros: 0, cost_source: "reported", reported_cost: null }));
    expect((await find(priced(2, 10))).corrections).toEqual([]);
  });

  it("computes the cost at the provider that responded, and of the model that it was sent", async () => {
    const attempt = { ...ATTEMPT, interception_id: idOf(1) };
    store(
      ...call(1, { model: "fast" }),
      { ...attempt, position: 0, provider: "openai", sent_model: null },
      { ...attempt, position: 1, provider: "backup", sent_model: "our-deployment", reason: "used" },
    );
    expect((await find({ openai: { models: { "fast*": { input: 1, output: 1 } } } })).corrections).toEqual(
      [],
    );
    const found = await find({ backup: { models: { "our-*": { input: 4, output: 20 } } } });
    expect(found.corrections).toMatchObject([{ interception_id: idOf(1), cost_micros: 6_000_000 }]);
  });

  it("reads prices beside fallbacks, without the secrets that a deployment has", () => {
    const keyed = { ...PROVIDERS.openai, keys: ["OPENAI_KEY"], fallbacks: ["backup"] };
    const backup = { ...PROVIDERS.backup, keys: ["BACKUP_KEY"] };
    const rules = readPriceRules({ PROVIDERS: { openai: keyed, backup } });
    expect([...rules.providers.keys()]).toEqual(["openai", "backup"]);
  });

  it("sends no more corrections in one request than the gateway takes", async () => {
    store(...Array.from({ length: MAX_CORRECTIONS + 1 }, (_, n) => call(n)).flat());
    const { url, bodies } = await gateway();
    await book((await find(priced(2, 10))).corrections, { url, reason: "r" });
    expect(bodies.map((body) => (body as { corrections: unknown[] }).corrections.length)).toEqual([
      MAX_CORRECTIONS,
      1,
    ]);
    expect(corrections()).toHaveLength(MAX_CORRECTIONS + 1);
  });

  it("computes the cost of usage that was retrieved later from its recorded terms", async () => {
    store(
      retrieved(1, { usage_of: "openai/a", msg_id: "a" }),
      // An image that a tool made, which has no price.
      retrieved(2, { usage_of: "openai/b", msg_id: "b", price_terms: { more: true } }),
      retrieved(3, { usage_of: "openai/c", msg_id: "c", price_terms: { reported_cost: "0.5" } }),
      retrieved(4, { usage_of: "openai/d", msg_id: "d", price_terms: null }),
    );
    const { corrections: found, unrecorded } = await find(priced(2, 10));
    expect(
      found.map(({ corrects, cost_micros, cost_source }) => [corrects, cost_micros, cost_source]),
    ).toEqual([
      ["retrieved_usage", 3_000_000, "computed"],
      ["retrieved_usage", 3_000_000, "partial"],
      // The provider's own word counts less than a price of PRICES.
      ["retrieved_usage", 3_000_000, "computed"],
    ]);
    expect(unrecorded).toBe(1);
  });

  it.each([
    ["of a gateway from before costs", { cost_source: null }, []],
    ["without the dialect's further figures", { usage_metadata: null }, []],
    ["whose tool calls are deleted", { tool_call_count: 2 }, [{ ...TOOL, interception_id: idOf(1) }]],
    ["whose model's name is truncated", { model: "our-".padEnd(256, "x") }, []],
  ])("leaves a cost alone, and counts it, %s", async (_, values, tools) => {
    const { cost_source, ...others } = values as Partial<InterceptionEnd>;
    store(...call(1, others), ...tools);
    if (cost_source === null) database.exec("UPDATE interceptions SET cost_source = NULL");
    expect(await find(priced(2, 10))).toMatchObject({ corrections: [], read: 1, unrecorded: 1 });
  });

  it("leaves a cost alone where an erasure removed the model that responded", async () => {
    store(...call(1));
    const erased = JSON.stringify({
      stored_at: T0,
      via: "q",
      mac_key_id: null,
      salts: {},
      erased: { response_model: [Buffer.alloc(32).toString("base64url"), T0] },
    });
    database.prepare("UPDATE interceptions SET end_seal = ?").run(erased);
    expect(await find(priced(2, 10))).toMatchObject({ corrections: [], unrecorded: 1 });
  });

  it("changes nothing about calls whose cost depends on no price", async () => {
    store(
      ...call(1, {
        ...NO_TOKENS,
        usage: "unknown",
        usage_metadata: null,
        status: 500,
        outcome: "upstream_error",
      }),
      ...call(2, { ...NO_TOKENS, usage: "unknown", usage_metadata: null, outcome: "refused" }),
    );
    expect(await find(priced(2, 10))).toMatchObject({ corrections: [], read: 2, unrecorded: 0 });
  });

  it("cannot correct a cost more often than the ids of events have room for", async () => {
    store(...call(1));
    for (let position = 0; position < 16; position += 1) {
      const { corrections: found } = await find(priced(position, 10));
      store(...found.map((facts) => correctionEvent(facts, { cause: "r", by: "token:0" }, T0)));
    }
    expect(corrections()).toHaveLength(16);
    expect(await find(priced(99, 10))).toMatchObject({ corrections: [], exhausted: 1 });
  });

  it("prints the sums by model, and what cannot be computed again", async () => {
    store(
      ...call(1),
      ...call(2, { cost_micros: 1, cost_source: "computed" }),
      ...call(3, { usage_metadata: null }),
    );
    const found = await find(priced(2, 10));
    expect(foundText(found, false).split("\n")).toEqual([
      "3 recorded costs read, 1 of which cannot be computed again: a fact is not in the ledger.",
      "",
      "model      costs    before     after  difference  newly priced  no longer priced",
      "our-model      2  0.000001  6.000000    5.999999             1                 0",
      "all            2  0.000001  6.000000    5.999999             1                 0",
      "",
      "Nothing is booked. With --apply --reason <text> 2 corrections would be.",
      "",
    ]);
    expect(foundText(found, true)).toContain("2 corrections booked.");
    expect(foundText(await find(), false)).toContain("no longer priced");
  });

  it("says that the gateway refused, and which corrections it did not take are found again", async () => {
    store(...call(1));
    const server = createServer((_, response) => {
      response.writeHead(401, { "content-type": "application/json" }).end('{"message":"wrong token"}');
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { corrections: found } = await find(priced(2, 10));
    await expect(book(found, { url, reason: "r" })).rejects.toThrow("responded with 401: wrong token");
    expect((await find(priced(2, 10))).corrections).toEqual(found);
  });

  // The attack: the gateway's address is that of another host, which would get the published token of local runs.
  it("sends no local token to a remote gateway", async () => {
    vi.stubEnv("INTERCEPTOR_ADMIN_TOKEN", "");
    store(...call(1));
    const { corrections: found } = await find(priced(2, 10));
    await expect(book(found, { url: "https://ai.example.com", reason: "r" })).rejects.toThrow(
      "INTERCEPTOR_ADMIN_TOKEN",
    );
    vi.unstubAllEnvs();
  });
});
