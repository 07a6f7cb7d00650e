/** Checks the log's entries about itself in a bundle. */
import { utf8 } from "../../src/records/ledger/seal/bytes.ts";
import { parseLogEntry, type StoredLogEntry } from "../../src/records/ledger/seal/log-entry.ts";
import { isIncluded, leafHash } from "../../src/records/ledger/seal/merkle.ts";
import type { AddIssue } from "./check.ts";
import type { OwnLine } from "./check-lines.ts";
import type { Tree } from "./prover.ts";

/** @returns the entries that are in the tree, in its order. */
export function checkLog(
  lines: readonly OwnLine[],
  head: (Tree & { readonly origin: string }) | null,
  add: AddIssue,
): StoredLogEntry[] {
  const entries = lines.flatMap(({ index, entry, proof }, at): StoredLogEntry[] => {
    const name = `log.ndjson, line ${at + 1}`;
    const parsed = parseLogEntry(entry);
    if (parsed?.index !== index) add(`${name}: it is not an entry of the log at ${index}.`);
    else if (!head || !isIncluded({ hash: leafHash(utf8(entry)), index }, head, proof))
      add(`${name}: the proof does not lead from the entry to the checkpoint.`);
    else return [parsed];
    return [];
  });
  const begin = entries.find(({ kind }) => kind === "begin");
  if (head && (begin?.kind !== "begin" || begin.index !== 0 || begin.origin !== head.origin))
    add("log.ndjson: it does not have the log's first entry.");
  if (head && !entries.some(({ kind }) => kind === "key")) add("log.ndjson: it does not have the log's key.");
  return entries.toSorted((a, b) => a.index - b.index);
}
