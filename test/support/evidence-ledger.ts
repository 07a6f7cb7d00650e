/** A sealed ledger in a file, with two people's events of every type, and bundles of it. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { createSigner, newPrivateKey, type Signer } from "../../src/records/ledger/seal/note-keys.ts";
import { runSealer } from "../../src/records/ledger/seal/sealer.ts";
import { storeEvents } from "../../src/records/ledger/write/store.ts";
import { MANIFEST, sha256, type Manifest } from "../../tools/export/bundle.ts";
import type { TokenUsage } from "../../src/events/event.ts";
import { everyEvent, START, TOKENS } from "./in-workerd/events.ts";
import { sqliteD1 } from "./sqlite-d1.ts";

export const SEALED_AT = Date.UTC(2026, 10, 23, 12, 1);
export const DAY = ["--from", "2026-11-23", "--to", "2026-11-24"];
/** In every text of the other person's events. */
export const NEEDLE = "needle";

export const newSigner = async (): Promise<Signer> =>
  createSigner(await newPrivateKey("ai.example.com/records", crypto.getRandomValues(new Uint8Array(32))));

/** The same requests of another person, in the same millisecond. */
export const others: readonly InterceptorEvent[] = everyEvent.map(
  (event) => mapTexts(event) as InterceptorEvent,
);

function mapTexts(value: unknown, name = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => mapTexts(item));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, key)]));
  if (typeof value !== "string" || name === "record_type" || value.startsWith("2026-")) return value;
  return value.startsWith("01a20846") ? value.replace("-8def-", "-8dee-") : `${NEEDLE}-${value}`;
}

export async function store(
  database: D1Database,
  events: readonly InterceptorEvent[],
  storedAt = SEALED_AT,
): Promise<void> {
  await storeEvents(
    database,
    events.map((event) => ({ event, via: "q", macKeyId: null, storedAt })),
  );
}

export const seal = (database: D1Database, signer: Signer, now = SEALED_AT): Promise<unknown> =>
  runSealer({ database, signers: [signer], now: () => now });

/** Usage without its end, as earlier gateways sent it: with its end it becomes a part of that. */
export const USAGE_ALONE: TokenUsage = {
  ...TOKENS,
  interception_id: START.interception_id.replace("-8def-", "-8abc-"),
};

/** With both people's events, sealed by one checkpoint, and a later one. */
export async function sealedLedger(path: string, signer: Signer): Promise<D1Database> {
  const database = sqliteD1(path);
  await store(database, others);
  await seal(database, signer);
  await store(database, [...everyEvent, USAGE_ALONE]);
  await seal(database, signer);
  await seal(database, signer, SEALED_AT + 2 * 3_600_000);
  return database;
}

export const textsOf = (folder: string): string =>
  readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("\n");

/** Changes a file of a bundle, and where `isHidden` its hash in the manifest, as an attacker does. */
export function changeFile(
  folder: string,
  name: string,
  change: (text: string) => string,
  isHidden: boolean,
): void {
  const path = join(folder, name);
  const before = readFileSync(path, "utf8");
  const after = change(before);
  if (after === before) throw new Error(`${name} is unchanged`);
  writeFileSync(path, after);
  if (!isHidden || name === MANIFEST) return;
  const manifest = JSON.parse(readFileSync(join(folder, MANIFEST), "utf8")) as Manifest;
  const files = { ...manifest.files, [name]: { sha256: sha256(after), bytes: Buffer.byteLength(after) } };
  writeFileSync(join(folder, MANIFEST), JSON.stringify({ ...manifest, files }));
}
