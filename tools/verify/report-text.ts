/** The output of `npm run verify`. */
import { FINDINGS, type Finding, type FindingKind } from "../../src/records/ledger/seal/finding.ts";
import type { StoredCheckpoint } from "../../src/records/ledger/seal/seal-state.ts";
import type { VerifyReport } from "../../src/records/ledger/seal/verify.ts";
import { plainText } from "../local/plain-text.ts";
import type { Deletion } from "./deletions.ts";
import { notShown } from "./report-limits.ts";

export type Verification = {
  readonly report: VerifyReport;
  /** The database, in words. */
  readonly source: string;
  /** Events that were stored while the database was copied; null where it was not. */
  readonly storedMeanwhile: number | null;
  readonly deletions: readonly Deletion[];
  /** The last one. */
  readonly checkpoint: StoredCheckpoint | null;
  /** The number of verifier keys that the auditor gave. */
  readonly keys: number;
};

const iso = (at: number): string => new Date(at).toISOString();

export function toJson(verification: Verification): string {
  const { report, checkpoint, ...facts } = verification;
  const last = checkpoint && { ...checkpoint, signedAt: iso(checkpoint.signedAt) };
  return `${JSON.stringify({ ...report, ...facts, checkpoint: last, notShown: notShown(verification) })}\n`;
}

export function toText(verification: Verification): string {
  const { report, deletions, checkpoint } = verification;
  return [
    verdict(report),
    counts(verification),
    ...(report.isIntact ? [] : [findingsText(report)]),
    ...(deletions.length > 0 ? [deletionsText(deletions)] : []),
    ...(checkpoint ? [checkpointText(checkpoint)] : []),
    section(
      "Not shown",
      notShown(verification).map((line) => `- ${plainText(line)}`),
    ),
  ].join("\n");
}

const section = (title: string, lines: readonly string[]): string =>
  `${title}:\n${lines.map((line) => `  ${line}\n`).join("")}`;

function verdict({ isIntact, leaves, counts: found }: VerifyReport): string {
  if (!isIntact) {
    const sum = Object.values(found).reduce((total, count) => total + count, 0);
    return `NOT INTACT: ${number(sum)} ${sum === 1 ? "finding" : "findings"}.\n`;
  }
  return leaves === 0
    ? "NOT VERIFIED: the ledger has no log of seals, so nothing in it is sealed.\n"
    : "INTACT: nothing that is sealed was changed.\n";
}

const number = (value: number): string => value.toLocaleString("en-US");

function counts({ report, source, storedMeanwhile }: Verification): string {
  const rows: readonly (readonly [string, string | number | null])[] = [
    ["database", source],
    ["log", report.origin ?? "none"],
    ["leaves", report.leaves],
    ["events", report.events],
    ["checkpoints", report.checkpoints],
    ["erased", report.erasedEvents],
    ["deleted", report.purgedEvents],
    ["unmarked", report.unmarkedEvents],
    ["unsealed", report.unsealedEvents],
    ["pending", report.pendingEvents],
    ["meanwhile", storedMeanwhile],
  ];
  return rows
    .filter(([, value]) => value !== null)
    .map(([name, value]) => {
      const shown = typeof value === "number" ? number(value) : plainText(String(value));
      const meaning = MEANINGS[name];
      return `  ${name.padEnd(12)} ${shown}${meaning === undefined ? "" : `  ${meaning}`}\n`;
    })
    .join("");
}

const MEANINGS: Readonly<Record<string, string>> = {
  events: "in the log",
  checkpoints: "verified",
  erased: "events with erased fields; their commitments still verify",
  deleted: "events whose rows a deletion on record deleted",
  unmarked: "events that came without a verified MAC",
  unsealed: "events from before the log, of which it proves nothing",
  pending: "events that are not sealed yet",
  meanwhile: "of these were stored while the database was copied; they are not verified",
};

function findingsText({ findings, counts: found }: VerifyReport): string {
  const kinds = Object.keys(FINDINGS) as FindingKind[];
  return kinds
    .filter((kind) => (found[kind] ?? 0) > 0)
    .map((kind) => {
      const listed = findings.filter((finding) => finding.kind === kind);
      const more = (found[kind] ?? 0) - listed.length;
      const lines = [...listed.map(findingLine), ...(more > 0 ? [`and ${number(more)} more`] : [])];
      return section(`${kind} (${number(found[kind] ?? 0)}): ${FINDINGS[kind]}`.replace(/\.$/, ""), lines);
    })
    .join("\n");
}

/** A changed ledger may hold escape sequences, even in an id. */
function findingLine({ eventId, index, detail }: Finding): string {
  const parts = [eventId === null ? "" : `event ${eventId}`, index === null ? "" : `leaf ${index}`, detail];
  return plainText(parts.filter((part) => part !== "").join("  "));
}

function deletionsText(deletions: readonly Deletion[]): string {
  const lines = deletions.map(({ table, cause, runs, rows, from, to, before }) => {
    const when = runs === 1 ? `at ${from}` : `in ${number(runs)} runs from ${from} to ${to}`;
    return plainText(`${table}: ${number(rows)} rows from before ${before}, by ${cause}, ${when}`);
  });
  return section("Deletions on record", lines);
}

function checkpointText({ note, size, signedAt }: StoredCheckpoint): string {
  return section(
    `Last checkpoint, of ${number(size)} leaves, signed at ${iso(signedAt)}; keep it for a later --checkpoint`,
    note.trimEnd().split("\n").map(plainText),
  );
}
