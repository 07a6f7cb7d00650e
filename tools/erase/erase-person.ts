/** The steps of an erasure: checks the legal holds, opens the request, erases the database, records it as an event. */
import { toolAccess } from "../local/tool-access.ts";
import {
  formatDigests,
  digestOf,
  digestsOf,
  parseDigests,
  unionOf,
  type Digests,
} from "../../src/records/ledger/erase/digests.ts";
import {
  eraseLedger,
  type ErasableLedger,
  type EraseReport,
} from "../../src/records/ledger/erase/erase-ledger.ts";
import type { Statement } from "../../src/records/ledger/erase/erase-row.ts";
import { newPseudonym, personOf, type KnownTexts } from "../../src/records/ledger/erase/person.ts";
import { firstOfActor } from "../../src/records/ledger/erase/find-rows.ts";
import type { Row } from "../../src/records/ledger/seal/rebuild.ts";
import { seal } from "../../src/records/ledger/write/seal-events.ts";
import { statementsFor } from "../../src/records/ledger/write/statements.ts";
import { uuidV7 } from "../../src/shared/uuid.ts";
import { StartFailure } from "../local/start-failure.ts";
import { KEY_SOURCES, knownTexts } from "./person-identifiers.ts";
import { ALL_HOLDS, holdsOn } from "./holds.ts";

export type EraseRequest = {
  /** As the ledger has them, the principal first. */
  readonly ids: readonly string[];
  readonly names: readonly string[];
  readonly pseudonym: string | null;
  readonly technical: boolean;
  readonly isDryRun: boolean;
};

export type EraseDeps = {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** A UUID of version 4. */
  readonly newId: () => string;
  readonly onProgress?: (table: string, rows: number) => void;
};

export type EraseResult = EraseReport & {
  readonly pseudonym: string;
  readonly requestedAt: number;
  /** Credentials that were not searched for in the records of others, because they are too many. */
  readonly keysLeft: number;
};

/** @throws StartFailure where a legal hold prevents it. */
export async function erasePerson(
  ledger: ErasableLedger,
  request: EraseRequest,
  deps: EraseDeps,
): Promise<EraseResult> {
  const { query, queryAll, run } = ledger;
  const json = JSON.stringify(request.ids);
  const [holds = [], erasures = [], ...keys] = await queryAll([
    ALL_HOLDS,
    OPEN_ERASURES,
    ...KEY_SOURCES.map((source) => firstOfActor(source, json)),
  ]);
  const held = await holdsOn(query, holds, request.ids);
  if (held.length > 0)
    throw new StartFailure(
      `Nothing is erased, because of a legal hold: ${held.join(", ")}. See npm run hold.`,
    );
  const { texts, keysLeft } = await knownTexts(query, request, keys);
  const at = deps.now();
  const erasure = openedErasure(erasures, { request, texts, at }, deps.newId);
  if (!request.isDryRun) await run([erasure.open]);
  const { pseudonym } = erasure;
  const { onProgress } = deps;
  const report = await eraseLedger(ledger, {
    rules: { person: personOf(pseudonym, texts), technical: request.technical },
    texts,
    at,
    newId: deps.newId,
    isDryRun: request.isDryRun,
    ...(onProgress && { onProgress }),
  });
  if (!request.isDryRun) await run(eventOf({ pseudonym, request, report, at }, deps));
  return { rows: report.rows, unreadable: report.unreadable, pseudonym, requestedAt: at, keysLeft };
}

type Opened = { readonly pseudonym: string; readonly open: Statement };

const INSERT = `INSERT INTO erasures (id, pseudonym, person, technical, requested_at) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (pseudonym) DO UPDATE SET person = excluded.person, technical = MAX(technical, excluded.technical),
  requested_at = excluded.requested_at, archive_passes = 0, archive_cursor = '', finished_at = NULL`;

const OPEN_ERASURES: Statement = {
  sql: "SELECT pseudonym, person FROM erasures WHERE person IS NOT NULL ORDER BY id",
  values: [],
};

/** An open erasure of the same person is continued: its pseudonym stands in a part of the records already. */
function openedErasure(
  rows: readonly Row[],
  { request, texts, at }: { readonly request: EraseRequest; readonly texts: KnownTexts; readonly at: number },
  newId: () => string,
): Opened {
  const found = rows
    .map((row) => ({ pseudonym: String(row["pseudonym"]), digests: parseDigests(String(row["person"])) }))
    .find(
      ({ digests }) => digests && texts.ids.some((id) => digests.ids.includes(digestOf(digests.salt, id))),
    );
  if (found && request.pseudonym !== null && request.pseudonym !== found.pseudonym)
    throw new StartFailure(`An erasure of this person is open, with the pseudonym ${found.pseudonym}.`);
  const pseudonym = found?.pseudonym ?? request.pseudonym ?? newPseudonym(newId());
  const salt = found?.digests?.salt ?? crypto.getRandomValues(new Uint8Array(16));
  const digests: Digests = digestsOf(salt, texts);
  const person = formatDigests(found?.digests ? unionOf(found.digests, digests) : digests);
  const values = [uuidV7(at, newId()), pseudonym, person, Number(request.technical), at];
  return { pseudonym, open: { sql: INSERT, values } };
}

type Erased = {
  readonly pseudonym: string;
  readonly request: EraseRequest;
  readonly report: EraseReport;
  readonly at: number;
};

/** The event names the pseudonym alone. */
function eventOf(
  { pseudonym, request, report, at }: Erased,
  { now, newId }: EraseDeps,
): readonly Statement[] {
  const storedAt = now();
  const facts = {
    action: "erase",
    target: pseudonym,
    parameters: { ids: String(request.ids.length), technical: String(request.technical) },
    rows: Object.values(report.rows).reduce((sum, rows) => sum + rows, 0),
    before: new Date(at).toISOString(),
    cause: null,
  } as const;
  const entry = toolAccess(facts, uuidV7(storedAt, newId()), storedAt);
  return statementsFor(seal([entry]), storedAt).map(({ sql, json }) => ({ sql, values: [json] }));
}
