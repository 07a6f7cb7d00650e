/** Checks one event of a bundle: its entry is in the tree, and its values are those of the entry. */
import { equalBytes, toBase64Url, utf8 } from "../../src/records/ledger/seal/bytes.ts";
import { canonicalJson } from "../../src/records/ledger/seal/canonical.ts";
import { absentEntry, commitmentOf } from "../../src/records/ledger/seal/entry.ts";
import { isIncluded, leafHash, type Hash } from "../../src/records/ledger/seal/merkle.ts";
import { SALT_BYTES } from "../../src/records/ledger/seal/sealed-facts.ts";
import { fromBase64 } from "../../src/shared/base64.ts";
import { asObject, parseObject, type JsonObject } from "../../src/shared/json.ts";
import type { AddIssue } from "./check.ts";
import { readHash, readProof } from "./check-lines.ts";
import { BROKEN, STATUSES, type EventLine } from "./event-line.ts";
import type { Tree } from "./prover.ts";

export function checkEvent(line: EventLine, head: Tree | null, addIssue: AddIssue): void {
  const add: AddIssue = (issue) => addIssue(`event ${line.event_id}: ${issue}`);
  const { status, entry } = line;
  if (BROKEN.has(status)) add(`${status}. ${STATUSES[status]}`);
  if (line.index !== null) checkProof(line, head, add);
  if (status === "sealed" && (line.index === null || entry === null || line.fields === null))
    add("it is marked as sealed, and has no entry of the log.");
  if (status !== "sealed") {
    if (Object.keys(line.salts).length > 0) add("it has salts, and no sealed entry.");
    if (status === "absent" && entry !== absentEntry(line.event_id, line.index ?? -1))
      add("the entry is not that of an absent event.");
  } else if (entry !== null) checkEntry(line, entry, add);
}

/** `unproven` says that there is no proof. */
function checkProof(
  { status, index, entry, leaf_hash, proof }: EventLine,
  head: Tree | null,
  add: AddIssue,
): void {
  const hash = readHash(leaf_hash);
  if (!hash) return add("the leaf hash cannot be read.");
  if (entry !== null && !equalBytes(leafHash(utf8(entry)), hash))
    add("the entry does not have the leaf hash.");
  if (status === "unproven" || (BROKEN.has(status) && proof === null)) return;
  const hashes: readonly Hash[] | null = readProof(proof);
  if (!head || !hashes || !isIncluded({ hash, index: index ?? -1 }, head, hashes))
    add("the proof does not lead from the leaf to the checkpoint.");
}

function checkEntry(line: EventLine, entry: string, add: AddIssue): void {
  const sealed = parseObject(entry);
  const [plain, commitments] = [asObject(sealed?.["fields"]), asObject(sealed?.["commitments"])];
  if (!sealed || !plain || !commitments || canonicalOf(sealed) !== entry)
    return add("the entry is not one of an event.");
  for (const name of ["index", "event_id", "record_type", "stored"] as const) {
    if (canonicalOf(sealed[name]) !== canonicalOf(line[name])) add(`${name} is not that of the entry.`);
  }
  for (const name of Object.keys(plain)) {
    if (canonicalOf(line.fields?.[name]) !== canonicalOf(plain[name]))
      add(`the value of ${name} is not the one that was sealed.`);
  }
  for (const name of Object.keys(commitments)) checkCommitment(line, name, commitments[name], add);
  checkFurther(line, { plain, commitments }, add);
}

function checkCommitment(line: EventLine, name: string, commitment: unknown, add: AddIssue): void {
  const erased = Object.hasOwn(line.erased, name) ? line.erased[name] : undefined;
  if (erased) {
    if (erased.commitment !== commitment)
      add(`the commitment of ${name}, which is erased, is not that of the entry.`);
    return;
  }
  const salt = fromBase64(line.salts[name] ?? "");
  if (salt?.length !== SALT_BYTES || toBase64Url(salt) !== line.salts[name])
    return add(`the salt of ${name} is missing.`);
  if (!line.fields || !Object.hasOwn(line.fields, name)) return add(`the value of ${name} is missing.`);
  if (toBase64Url(commitmentOf(salt, line.fields[name])) !== commitment)
    add(`the value of ${name}, or its salt, is not the one that was sealed.`);
}

/** Members that the entry does not vouch for must not stand there. */
function checkFurther(
  { fields, salts, erased }: EventLine,
  { plain, commitments }: { readonly plain: JsonObject; readonly commitments: JsonObject },
  add: AddIssue,
): void {
  const isSealed = (name: string): boolean => Object.hasOwn(plain, name) || Object.hasOwn(commitments, name);
  for (const name of Object.keys(fields ?? {})) {
    if (!isSealed(name)) add(`${name} is not part of the entry.`);
    if (Object.hasOwn(erased, name)) add(`${name} is marked as erased, and has a value.`);
  }
  for (const name of new Set([...Object.keys(salts), ...Object.keys(erased)])) {
    const isExtra =
      !Object.hasOwn(commitments, name) || (Object.hasOwn(salts, name) && Object.hasOwn(erased, name));
    if (isExtra) add(`the salt or the erasure of ${name} is not part of the entry.`);
  }
}

/** "" for what is not JSON. */
function canonicalOf(value: unknown): string {
  try {
    return canonicalJson(value ?? null);
  } catch {
    return "";
  }
}
