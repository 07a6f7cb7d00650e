/** Files with checkpoints that an auditor kept: signed notes one after the other, or a log of the records Worker. */
import { checkpointIn } from "../../src/records/ledger/seal/checkpoint.ts";
import { parseObject } from "../../src/shared/json.ts";
import { workerLines } from "../local/worker-log.ts";

const PREFIX = '{"event":"ledger_sealed",';
const LOG = { parts: ["ledger_sealed"], isLine: (line: string): boolean => line.startsWith(PREFIX) };

/** @returns the notes, at least one; or why there is none, as the end of a sentence about the file. */
export function readCheckpoints(text: string): readonly string[] | string {
  const notes = splitNotes(text);
  if (notes.length > 0 && notes.every((note) => checkpointIn(note))) return notes;
  const logged = [...workerLines(text, LOG)].map((line) => parseObject(line)?.["checkpoint"]);
  if (logged.length === 0) return "has neither signed checkpoints alone nor a log line `ledger_sealed`";
  const valid = logged.filter((note) => typeof note === "string" && checkpointIn(note) !== null);
  if (valid.length < logged.length) return "has a log line `ledger_sealed` whose checkpoint cannot be read";
  return valid as string[];
}

/** A note ends with its last signature line. */
function splitNotes(text: string): string[] {
  return `${text.trimEnd()}\n`
    .split(/(?<=^— [^\n]*\n)(?!— )/m)
    .map((note) => note.replace(/^\n+/, ""))
    .filter((note) => note !== "");
}
