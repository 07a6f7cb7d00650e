/** Erasing a person: nothing of them is left in any cell, nothing of others changes, the log of seals still verifies. */
import { totalOf } from "../../../../src/records/rollups/contribution-sql.ts";
import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../../src/events/event.ts";
import { eventId } from "../../../../src/events/event-id.ts";
import { RECORDS, type RecordType } from "../../../../src/events/fields.ts";
import { digestsOf, personOfDigests } from "../../../../src/records/ledger/erase/digests.ts";
import { eraseEvent } from "../../../../src/records/ledger/erase/erase-event.ts";
import { erasableFieldsOf } from "../../../../src/records/ledger/erase/field-rules.ts";
import { proveEvent } from "../../../../src/records/ledger/seal/proof.ts";
import { queryOf } from "../../../../src/records/ledger/seal/seal-state.ts";
import { sha256Hex } from "../../../../src/shared/digest.ts";
import { foldJournal } from "../../../../src/records/ledger/rollups/fold.ts";
import {
  ALICE,
  ALICES_ALIAS,
  ALICES_KEY,
  ALICES_SESSION,
  allTypes,
  BOB,
  cellsWith,
  dump,
  eraseAlice,
  recordErasure,
  eventOf,
  NEEDLE,
  PSEUDONYM,
  TEXTS,
} from "../../../support/in-workerd/erased-person.ts";
import { idOf, T0 } from "../../../support/in-workerd/ledger-events.ts";
import { ACCESS, BUDGET_CHANGE, CORRECTION, REJECTED, START } from "../../../support/in-workerd/events.ts";
import { emptySealedLedger, seal, storeSealed, verify } from "../../../support/in-workerd/sealed-ledger.ts";

const SERVICE = "ci-bot";

/** Of each type: by the person herself, for her, by her for another initiator, and by others. */
const HERS = allTypes(1).map((event) =>
  eventOf(event, { initiator: ALICE, actor: ALICE, key: ALICES_KEY }, true),
);
const FOR_HER = allTypes(2).map((event) => eventOf(event, { initiator: ALICES_ALIAS, actor: SERVICE }, true));
const BY_HER = allTypes(3).map((event) =>
  eventOf(event, { initiator: BOB, actor: ALICE, key: ALICES_KEY }, false),
);
const OTHERS = allTypes(4).map((event) => eventOf(event, { initiator: BOB, actor: SERVICE }, false));

/** The results of one batch cannot be read twice. */
const distinct = (events: readonly InterceptorEvent[], n: number): InterceptorEvent[] =>
  events.map((event) => {
    if (event.record_type === "retrieved_usage") return { ...event, usage_of: `${event.usage_of} ${n}` };
    return event.record_type === "batch_file" ? { ...event, file_id: `file-${n}` } : event;
  });
const ALL = [HERS, FOR_HER, BY_HER, OTHERS].map(distinct);

let database: D1Database;
beforeEach(async () => {
  database = await emptySealedLedger();
  // The log begins.
  await seal(database);
  for (const events of ALL) await storeSealed(database, events);
});

const LOOKED_FOR = [ALICE, ALICES_ALIAS, "alice", "liddell", ALICES_KEY, NEEDLE, "0eed1e00-dead"];

const totals = async (): Promise<unknown> => {
  const { results } = await database
    .prepare(
      `SELECT d.client, d.model, d.coarseness, SUM(h.requests) AS requests, SUM(h.input_tokens) AS input, SUM(h.output_tokens) AS output
FROM rollup_hours AS h JOIN rollup_dimensions AS d ON d.id = h.dimension GROUP BY 1, 2, 3`,
    )
    .all();
  return results;
};

/** The totals by initiator, counted from the rows and from the totals. */
async function bothSums(): Promise<readonly [unknown, unknown]> {
  await foldJournal(database);
  const rows = await database
    .prepare(
      `SELECT link_key, workspace_id, COUNT(*) AS requests, SUM(${totalOf("input_tokens", "interceptions")}) AS input FROM interceptions GROUP BY 1, 2 ORDER BY 1, 2`,
    )
    .all();
  const sums = await database
    .prepare(
      `SELECT json_array(d.initiator_id, d.initiator_source, d.attribution, d.actor_id, d.identity_source) || '' AS link_key,
  d.workspace_id, CAST(SUM(h.requests) AS INTEGER) AS requests, CAST(SUM(h.input_tokens) AS INTEGER) AS input
FROM rollup_hours AS h JOIN rollup_dimensions AS d ON d.id = h.dimension GROUP BY 1, 2 HAVING SUM(h.requests) <> 0 ORDER BY 1, 2`,
    )
    .all();
  return [rows.results, sums.results];
}

describe("erasing a person", () => {
  it("leaves nothing of them in any cell of any table", async () => {
    await seal(database);
    expect(cellsWith(await dump(database), LOOKED_FOR)).toContain("interceptions.actor_id");
    await eraseAlice(database);
    expect(cellsWith(await dump(database), LOOKED_FOR)).toEqual([]);
  });

  it("leaves each row where a session and an actor are looked for", async () => {
    await eraseAlice(database);
    const missing = await queryOf(database)(`SELECT id FROM interceptions AS i WHERE NOT EXISTS (
        SELECT 1 FROM actor_spans AS s WHERE s.actor_id = i.actor_id AND s.span = i.span AND s.initiator_id = i.initiator_id)
      OR session_id <> id AND NOT EXISTS (
        SELECT 1 FROM session_spans AS s WHERE s.session_id = i.session_id AND s.link_key = i.link_key AND s.span = i.span)
      UNION ALL SELECT id FROM initiator_overrides AS o WHERE NOT EXISTS (
        SELECT 1 FROM actor_spans AS s WHERE s.actor_id = o.actor_id AND s.span = SUBSTR(o.id, 1, 7)
          AND s.initiator_id = IIF(o.accepted = 1, o.initiator_id, ''))`);
    expect(missing).toEqual([]);
  });

  it("covers every erasable field of every record type", () => {
    const types = new Set(HERS.map(({ record_type: type }) => type));
    expect((Object.keys(RECORDS) as RecordType[]).filter((type) => !types.has(type))).toEqual([
      "ledger_access",
    ]);
    const unmarked = HERS.flatMap((event) =>
      erasableFieldsOf(event.record_type)
        .filter(({ name, field }) => {
          const isPrincipal = /^(?:initiator|actor|owner|api_key)_id$/.test(name);
          return !isPrincipal && field.erasable !== "technical" && field.kind !== "uuid";
        })
        .filter(({ name, field }) => {
          const text = field.erasable === "admin" ? ALICES_SESSION : `${NEEDLE} ${name}`;
          return !JSON.stringify(event).includes(text);
        })
        .map(({ name }) => `${event.record_type}.${name}`),
    );
    expect(unmarked).toEqual([]);
  });

  it.each([
    ["sealed events", true],
    ["events that are not sealed yet", false],
  ])("leaves the log intact: %s", async (_, isSealedBefore) => {
    if (isSealedBefore) await seal(database);
    await eraseAlice(database);
    await seal(database);
    await recordErasure(database);
    const report = await verify(database);
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ isIntact: true, pendingEvents: 1 });
    expect(report.erasedEvents).toBeGreaterThan(HERS.length);
  });

  it("has proofs that name the erased fields and their time", async () => {
    await seal(database);
    await eraseAlice(database);
    await seal(database);
    const [start = START] = HERS;
    const proof = await proveEvent(queryOf(database), eventId(start));
    expect(proof).toMatchObject({
      is_intact: true,
      erased: {
        initiator_id: new Date(T0 + 5000).toISOString(),
        prompt_hashes: new Date(T0 + 5000).toISOString(),
      },
    });
    expect(JSON.stringify(proof)).not.toContain(ALICE);
  });

  it("leaves the rows of others as they were, byte for byte", async () => {
    const rows = async (): Promise<unknown> => {
      const tables = await dump(database);
      const ids = new Set(OTHERS.flatMap((event) => [event.interception_id, eventId(event)]));
      return Object.fromEntries(
        Object.entries(tables).map(([name, all]) => [name, all.filter(({ id }) => ids.has(String(id)))]),
      );
    };
    const before = await rows();
    await eraseAlice(database);
    expect(await rows()).toEqual(before);
  });

  // The attack: a service's credential is erased, and with it the prompts of all initiators that it worked for.
  it("keeps the conversation of another initiator for whom the person acted", async () => {
    await eraseAlice(database);
    const [row] = await queryOf(database)(
      "SELECT initiator_id, actor_id, api_key_id, client_session_id, end_user, metadata, user_agent FROM interceptions WHERE id = ?1",
      BY_HER[0]?.interception_id ?? "",
    );
    const start = BY_HER.find((event) => event.record_type === "interception_start") ?? START;
    expect(row).toEqual({
      initiator_id: BOB,
      actor_id: PSEUDONYM,
      api_key_id: PSEUDONYM,
      client_session_id: "client_session_id" in start ? start.client_session_id : null,
      end_user: START.end_user,
      metadata: "{}",
      user_agent: null,
    });
    expect(
      await queryOf(database)("SELECT COUNT(*) AS n FROM user_prompts WHERE prompt <> 'erased'"),
    ).toEqual([{ n: 2 }]);
  });

  it.each([
    ["folded", true],
    ["still in the journal", false],
  ])("leaves all totals as they were, and equal to the rows: totals %s", async (_, isFolded) => {
    if (isFolded) await foldJournal(database);
    const [rowsBefore, sumsBefore] = await bothSums();
    expect(sumsBefore).toEqual(rowsBefore);
    const before = await totals();
    await eraseAlice(database);
    const [rows, sums] = await bothSums();
    expect(sums).toEqual(rows);
    expect(await totals()).toEqual(before);
  });

  it("erases totals whose interceptions are gone, and merges those that become equal", async () => {
    await foldJournal(database);
    const before = await totals();
    await database.prepare("DELETE FROM interceptions").run();
    await eraseAlice(database);
    expect(cellsWith(await dump(database), LOOKED_FOR)).toEqual([]);
    expect(await totals()).toEqual(before);
  });

  it("changes nothing when it runs again", async () => {
    await eraseAlice(database);
    await foldJournal(database);
    const before = await dump(database);
    expect((await eraseAlice(database)).rows).toEqual({});
    expect(await dump(database)).toEqual(before);
  });

  it("finds what arrives later, and the totals stay equal to the rows", async () => {
    const [, end] = [0, 1].map((at) => HERS[at] ?? START);
    await database
      .prepare("UPDATE interceptions SET end_seal = NULL, outcome = NULL WHERE id = ?1")
      .bind(HERS[0]?.interception_id)
      .run();
    await foldJournal(database);
    await eraseAlice(database);
    await storeSealed(database, [
      end ?? START,
      eventOf({ ...START, interception_id: idOf(77) }, { initiator: ALICE, actor: ALICE }, true),
    ]);
    expect(cellsWith(await dump(database), LOOKED_FOR)).not.toEqual([]);
    await eraseAlice(database);
    expect(cellsWith(await dump(database), LOOKED_FOR)).toEqual([]);
    const [rows, sums] = await bothSums();
    expect(sums).toEqual(rows);
  });

  it("stores nothing twice when erased events are delivered again", async () => {
    await eraseAlice(database);
    const before = await queryOf(database)("SELECT COUNT(*) AS n FROM retrieved_usages");
    for (const events of ALL) await storeSealed(database, events);
    expect(await queryOf(database)("SELECT COUNT(*) AS n FROM retrieved_usages")).toEqual(before);
    expect(cellsWith(await dump(database), LOOKED_FOR)).toEqual([]);
  });
});

describe("the name of an administrator", () => {
  const CHANGES = [
    { ...BUDGET_CHANGE, interception_id: idOf(80), changed_by: ALICES_SESSION },
    { ...CORRECTION, interception_id: idOf(81), corrected_by: ALICES_SESSION },
    { ...CORRECTION, interception_id: idOf(82), corrected_by: `console:${ALICES_ALIAS}` },
    { ...ACCESS, interception_id: idOf(83), by: ALICES_SESSION },
    { ...CORRECTION, interception_id: idOf(84), corrected_by: "console:Bob" },
  ];
  const names = async (): Promise<unknown[]> => {
    const rows = await queryOf(database)(
      `SELECT interception_id AS id, changed_by AS name FROM budget_events
       UNION ALL SELECT interception_id, corrected_by FROM cost_corrections
       UNION ALL SELECT interception_id, "by" FROM ledger_accesses ORDER BY id`,
    );
    const ids = new Set(CHANGES.map(({ interception_id: id }) => id));
    return rows.filter(({ id }) => ids.has(String(id))).map(({ name }) => name);
  };
  const nameIn = (event: (typeof CHANGES)[number]): unknown => {
    if ("by" in event) return event.by;
    return "changed_by" in event ? event.changed_by : event.corrected_by;
  };
  const ERASED_SESSION = `console:${PSEUDONYM}`;
  const ERASED_NAMES = [ERASED_SESSION, ERASED_SESSION, ERASED_SESSION, ERASED_SESSION, "console:Bob"];

  it("is replaced in the rows of changes that are not about the person", async () => {
    await storeSealed(database, CHANGES);
    await seal(database);
    await eraseAlice(database);
    expect(await names()).toEqual(ERASED_NAMES);
    await recordErasure(database);
    expect((await verify(database)).findings).toEqual([]);
  });

  it("is replaced in events that arrive or are archived, where only digests of the name are left", () => {
    const person = personOfDigests(PSEUDONYM, digestsOf(new Uint8Array(16), TEXTS));
    const erased = CHANGES.map((event) => eraseEvent(event, { person, technical: false }));
    expect(erased.map(nameIn)).toEqual(ERASED_NAMES);
  });
});

describe("traces of a person in the records of others", () => {
  it("are the hash of a rejected owner value, an end user, a hold, a read", async () => {
    const hash = (await sha256Hex(ALICE)).slice(0, 16);
    const texts = { ...TEXTS, names: [...TEXTS.names, hash] };
    await storeSealed(database, [
      eventOf(
        { ...REJECTED, interception_id: idOf(70), value_sha256: hash },
        { initiator: BOB, actor: BOB },
        false,
      ),
      {
        ...START,
        ...eventOf({ ...START, interception_id: idOf(71) }, { initiator: BOB, actor: BOB }, false),
        end_user: ALICES_ALIAS,
      } as InterceptorEvent,
      {
        ...ACCESS,
        interception_id: idOf(72),
        action: "hold",
        target: ALICE,
        cause: "Mr. X against alice@example.com",
      },
      { ...ACCESS, interception_id: idOf(73), parameters: { initiator: ALICE, search: "Alice Liddell" } },
      { ...ACCESS, interception_id: idOf(74), parameters: { session_id: "the laptop of Alice Liddell" } },
    ]);
    await seal(database);
    expect(texts.names).toContain(hash);
    await eraseAlice(database);
    expect(cellsWith(await dump(database), LOOKED_FOR)).toEqual([]);
    await recordErasure(database);
    expect((await verify(database)).findings).toEqual([]);
  });
});
