/** GET /proof/{event_id} and GET /checkpoint: a third party verifies them with nothing but the log's public key. */
import { beforeEach, describe, expect, it } from "vitest";
import { eventId } from "../../../src/events/event-id.ts";
import { fromBase64 } from "../../../src/shared/base64.ts";
import { checkpointIn } from "../../../src/records/ledger/seal/checkpoint.ts";
import { eraseFields } from "../../../src/records/ledger/seal/entry.ts";
import { isConsistent, isIncluded, leafHash } from "../../../src/records/ledger/seal/merkle.ts";
import { parseNote, verifyNote } from "../../../src/records/ledger/seal/note.ts";
import { loadEvents } from "../../../src/records/ledger/seal/rebuild.ts";
import { SCHEMA_VERSION } from "../../../src/records/ledger/seal/schema.ts";
import { formatErased } from "../../../src/records/ledger/seal/sealed-facts.ts";
import { queryOf } from "../../../src/records/ledger/seal/seal-state.ts";
import { fetchApi } from "../../support/in-workerd/api-client.ts";
import { END, START } from "../../support/in-workerd/events.ts";
import { allEventsOf, eventsOf, idOf, T0 } from "../../support/in-workerd/ledger-events.ts";
import { emptySealedLedger, seal, SIGNER, storeSealed } from "../../support/in-workerd/sealed-ledger.ts";

let database: D1Database;
beforeEach(async () => {
  database = await emptySealedLedger();
});

type Proof = {
  readonly leaf_index: number;
  readonly leaf_hash: string;
  readonly tree_size: number;
  readonly inclusion_proof: readonly string[];
  readonly checkpoint: string;
  readonly entry: string | null;
  readonly is_intact: boolean;
  readonly erased: object;
};

const bytesOf = (text: string): Uint8Array => fromBase64(text) ?? new Uint8Array();
const start = (n: number): string => eventId({ ...START, interception_id: idOf(n) });
const end = (n: number): string => eventId({ ...END, interception_id: idOf(n) });

async function proofOf(id: string): Promise<Proof> {
  const { status, json } = await fetchApi(`/proof/${id}`, { database });
  expect(status).toBe(200);
  return json as Proof;
}

async function treeIn(note: string) {
  const parsed = parseNote(note);
  const tree = checkpointIn(note);
  if (!parsed || !tree) throw new Error("no checkpoint");
  expect(await verifyNote(parsed, [SIGNER])).toEqual([SIGNER]);
  return tree;
}

describe("GET /proof/{event_id}", () => {
  it("proves each event of a tree of several tiles, with its entry", async () => {
    for (let batch = 0; batch < 6; batch += 1) {
      const events = Array.from({ length: 34 }, (_, at) => eventsOf({ n: batch * 34 + at })).flat();
      await storeSealed(database, events, T0 + batch * 7);
      await seal(database, T0 + batch * 7);
    }
    for (const id of [start(0), end(0), start(84), end(101), start(203), end(203)]) {
      const proof = await proofOf(id);
      const tree = await treeIn(proof.checkpoint);
      const leaf = leafHash(new TextEncoder().encode(proof.entry ?? ""));
      expect(leaf).toEqual(bytesOf(proof.leaf_hash));
      expect(JSON.parse(proof.entry ?? "")).toMatchObject({ event_id: id, index: proof.leaf_index });
      expect(
        isIncluded({ hash: leaf, index: proof.leaf_index }, tree, proof.inclusion_proof.map(bytesOf)),
      ).toBe(true);
      expect(tree.size).toBe(proof.tree_size);
    }
  });

  it("proves an event of every type that has a seal", async () => {
    const events = allEventsOf({ n: 1, toolCalls: ["a"] }).filter(
      ({ record_type }) => record_type !== "refusal_count" && record_type !== "token_usage",
    );
    await storeSealed(database, events);
    await seal(database);
    for (const event of events)
      expect(await proofOf(eventId(event).toUpperCase())).toMatchObject({ is_intact: true });
  });

  it("proves an event after fields of it were erased, and says which and when", async () => {
    await storeSealed(database, eventsOf({ n: 1 }));
    await seal(database);
    const before = await proofOf(start(1));
    const event = (await loadEvents(queryOf(database), [start(1)])).get(start(1));
    if (typeof event !== "object") throw new Error("no event");
    const text = formatErased(eraseFields(event, ["end_user"], T0, SCHEMA_VERSION));
    await database.prepare("UPDATE interceptions SET end_user = NULL, start_seal = ?1").bind(text).run();
    expect(await proofOf(start(1))).toEqual({ ...before, erased: { end_user: new Date(T0).toISOString() } });
  });

  it("says that a row is no longer what was sealed, with the leaf that was", async () => {
    await storeSealed(database, eventsOf({ n: 1 }));
    await seal(database);
    const { leaf_hash } = await proofOf(end(1));
    await database.prepare("UPDATE interceptions SET outcome = 'cancelled'").run();
    expect(await proofOf(end(1))).toMatchObject({ is_intact: false, entry: null, leaf_hash });
  });

  it.each([
    ["is unknown", "01a20846-fe00-8000-8def-0123456789ab", "event_not_found", 404],
    ["has no record type", "01a20846-fe00-8f00-8def-0123456789ab", "event_not_found", 404],
    ["is an interception's id", idOf(1), "event_not_found", 404],
    ["is no id", "x", "event_not_found", 404],
    ["has no end yet", end(2), "event_not_found", 404],
    ["waits to be sealed", start(2), "event_not_sealed", 409],
    ["was stored before seals", start(3), "event_before_seals", 409],
  ])("refuses an event that %s", async (_, id, code, status) => {
    await storeSealed(database, eventsOf({ n: 1 }));
    await seal(database);
    await storeSealed(database, [...eventsOf({ n: 2 }).slice(0, 1), ...eventsOf({ n: 3 })]);
    await database.prepare("UPDATE interceptions SET start_seal = '' WHERE id = ?1").bind(idOf(3)).run();
    const response = await fetchApi(`/proof/${id}`, { database });
    expect([response.status, response.refusal?.code]).toEqual([status, code]);
  });

  it("says that nothing is sealed where there is no key", async () => {
    await storeSealed(database, eventsOf({ n: 1 }));
    const response = await fetchApi(`/proof/${start(1)}`, { database, isSealing: false });
    expect(response.refusal?.code).toBe("seals_off");
    expect((await fetchApi("/checkpoint", { database, isSealing: false })).refusal?.code).toBe("seals_off");
    expect((await fetchApi("/checkpoint", { database })).refusal?.code).toBe("checkpoint_not_found");
  });

  it("refuses while the ledger cannot be read", async () => {
    for (const path of [`/proof/${start(1)}`, "/checkpoint"])
      expect((await fetchApi(path, { database: null })).refusal?.code).toBe("ledger_unavailable");
  });
});

describe("GET /checkpoint", () => {
  it("proves that the log continues every tree that it had", async () => {
    const trees: Awaited<ReturnType<typeof treeIn>>[] = [];
    for (let batch = 0; batch < 8; batch += 1) {
      await storeSealed(
        database,
        Array.from({ length: 13 }, (_, at) => eventsOf({ n: batch * 13 + at })).flat(),
      );
      await seal(database, T0 + batch);
      const { json } = await fetchApi("/checkpoint", { database });
      trees.push(await treeIn((json as Proof).checkpoint));
    }
    for (const earlier of trees) {
      const { json } = await fetchApi(`/checkpoint?from=${earlier.size}`, { database });
      const { checkpoint, consistency_proof: proof } = json as {
        readonly checkpoint: string;
        readonly consistency_proof: readonly string[];
      };
      expect(isConsistent(earlier, await treeIn(checkpoint), proof.map(bytesOf))).toBe(true);
    }
  });

  it("has no proof for a larger tree", async () => {
    await storeSealed(database, eventsOf({ n: 1 }));
    await seal(database);
    const { json } = await fetchApi("/checkpoint?from=999", { database });
    expect(json).toMatchObject({ consistency_proof: null, signed_at: new Date(T0).toISOString() });
  });
});
