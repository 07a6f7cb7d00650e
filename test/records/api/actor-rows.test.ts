/** The filter of an actor, which reads several parts of the table, against every row. */
import { beforeEach, describe, expect, it } from "vitest";
import { between, forSeedsAsync, seededRandom } from "../../support/rechunk.ts";
import { fetchOk, items, part } from "../../support/in-workerd/api-client.ts";
import {
  insert,
  interception,
  override,
  T0,
  wrapLedger,
  type Row,
} from "../../support/in-workerd/api-rows.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

beforeEach(emptyLedger);

const ACTORS: readonly Row[] = [
  { actor_id: "many", actor_kind: "service" },
  { actor_id: "few", actor_kind: "service" },
  { actor_id: "person", actor_kind: "user" },
  { actor_id: "unknown", actor_kind: "unknown", identity_source: "byok" },
  // One id of two sources, of which one is a service's.
  { actor_id: "person", actor_kind: "service", identity_source: "jwt" },
];
const OWNERS = { many: 60, few: 3, person: 3, unknown: 30 } as const;

/** By an actor itself, or for an owner that it named, who may be another actor. */
function randomRow(n: number, random: () => number): Row {
  const actor = ACTORS[between(random, 0, ACTORS.length - 1)] as Row;
  const session = { client_session_id: between(random, 0, 3) === 0 ? null : `s${between(random, 0, 20)}` };
  const id = String(actor["actor_id"]) as keyof typeof OWNERS;
  if (random() < 0.4)
    return interception(T0 + n, { ...actor, ...session, initiator_id: id, attribution: "authenticated" });
  const owner = random() < 0.2 ? "person" : `owner-${between(random, 1, OWNERS[id])}`;
  const attribution = ["asserted", "signed", "claimed"][between(random, 0, 2)] ?? "";
  return interception(T0 + n, { ...actor, ...session, initiator_id: owner, attribution });
}

/** Every page of a list, and its count. */
async function pagesOf(path: string, list: string, cursor: string): Promise<[unknown[], unknown]> {
  const seen: unknown[] = [];
  let count: unknown;
  for (let query = path; ;) {
    const page = await fetchOk(query);
    count ??= part(page, "count");
    const found = items(page, list).map((one) => part(one, cursor));
    if (found.length === 0) return [seen, count];
    seen.push(...found);
    query = `${path}&after_id=${String(found.at(-1))}`;
  }
}

describe("the filter of an actor", () => {
  it("finds the actor's rows and no others, newest first, on every page", async () => {
    await forSeedsAsync(5, async (seed) => {
      await emptyLedger();
      const random = seededRandom(seed);
      const rows = Array.from({ length: 400 }, (_, n) => randomRow(n, random));
      await insert("interceptions", rows);
      for (const actor of [...Object.keys(OWNERS), "no-such-actor", "owner-1"]) {
        const expected = rows.filter(({ actor_id: id }) => id === actor).map(({ id }) => id);
        const [found, count] = await pagesOf(`/interceptions?limit=37&actor=${actor}`, "results", "id");
        expect([actor, found]).toEqual([actor, expected.toReversed()]);
        expect(count).toBe(expected.length);
      }
    });
  });

  // The attack: an actor names so many owners that its few rows are looked for among all rows, for each page of an auditor.
  it("reads only the rows of the spans of a rare actor with many owners", async () => {
    const many = Array.from({ length: 4000 }, (_, n) =>
      interception(T0 + n * 60_000, {
        actor_id: "many",
        actor_kind: "service",
        initiator_id: `owner-${n % 60}`,
        attribution: "asserted",
      }),
    );
    const rare = Array.from({ length: 30 }, (_, n) => ({
      actor_id: "rare",
      actor_kind: "service",
      initiator_id: `owner-${n}`,
      attribution: "asserted",
      at: T0 + n * 60_000 + 1,
    }));
    await insert("interceptions", [...many, ...rare.map(({ at, ...row }) => interception(at, row))]);
    await insert(
      "initiator_overrides",
      [
        ...Array.from({ length: 2000 }, (_, n) => ({
          at: T0 + n * 60_000,
          actor_id: "many",
          initiator_id: `owner-${n % 60}`,
        })),
        ...rare,
      ].map(({ at, actor_id, initiator_id }) =>
        override(at, { actor_id, initiator_id, owner_id: initiator_id }),
      ),
    );
    for (const path of ["/interceptions", "/overrides"]) {
      let read = 0;
      const counting = wrapLedger({});
      const batch = async <T>(statements: D1PreparedStatement[]): Promise<D1Result<T>[]> => {
        const results = await counting.batch<T>(statements);
        for (const { meta } of results) read += meta.rows_read;
        return results;
      };
      const ledger = Object.assign(Object.create(counting) as D1Database, { batch });
      const page = await fetchOk(`${path}?actor=rare`, { database: ledger });
      expect([path, part(page, "count")]).toEqual([path, 30]);
      expect(read).toBeLessThan(1000);
    }
  });

  it("combines with other filters", async () => {
    const random = seededRandom(1);
    const rows = Array.from({ length: 400 }, (_, n) => randomRow(n, random));
    await insert("interceptions", rows);
    for (const actor of Object.keys(OWNERS))
      for (const [filter, name, value] of [
        ["initiator", "initiator_id", "person"],
        ["identity_source", "identity_source", "jwt"],
        ["attribution", "attribution", "signed"],
        ["session_id", "client_session_id", "s1"],
      ] as const) {
        const expected = rows.filter((row) => row["actor_id"] === actor && row[name] === value);
        const page = await fetchOk(`/interceptions?limit=500&actor=${actor}&${filter}=${value}`);
        expect([actor, filter, items(page, "results").map((one) => part(one, "id"))]).toEqual([
          actor,
          filter,
          expected.map(({ id }) => id).toReversed(),
        ]);
      }
  });

  it("lists the sessions that have such a row, at the first one", async () => {
    const random = seededRandom(2);
    const rows = Array.from({ length: 400 }, (_, n) => randomRow(n, random));
    await insert("interceptions", rows);
    for (const actor of Object.keys(OWNERS)) {
      const firsts = new Map<string, unknown>();
      for (const row of rows.filter(({ actor_id: id }) => id === actor)) {
        const key = ["initiator_id", "attribution", "identity_source"].map((name) => row[name]);
        const session = JSON.stringify([row["client_session_id"] ?? row["id"], ...key]);
        if (!firsts.has(session)) firsts.set(session, row["id"]);
      }
      const [found, count] = await pagesOf(`/sessions?limit=23&actor=${actor}`, "sessions", "cursor");
      expect([actor, found]).toEqual([actor, [...firsts.values()].toSorted().toReversed()]);
      expect(count).toBe(firsts.size);
    }
  });
});
