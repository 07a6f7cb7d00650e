/**
 * Checkpoints (https://c2sp.org/tlog-checkpoint): the text of a signed note that names the log, the size of its tree and the
 * tree's root, a line each.
 */
import { fromBase64 } from "../../../shared/base64.ts";
import { toBase64 } from "./bytes.ts";
import { HASH_BYTES, type Hash } from "./merkle.ts";
import { parseNote } from "./note.ts";

export type Checkpoint = { readonly origin: string; readonly size: number; readonly root: Hash };

export const formatCheckpoint = ({ origin, size, root }: Checkpoint): string =>
  `${origin}\n${size}\n${toBase64(root)}\n`;

/** null where the text, with its final LF, is not a checkpoint. Lines of extensions are ignored. */
export function parseCheckpoint(text: string): Checkpoint | null {
  const [origin = "", digits = "", encoded = "", ...rest] = text.split("\n");
  const root = fromBase64(encoded);
  const size = Number(digits);
  const isComplete = origin !== "" && rest.length > 0 && rest.at(-1) === "";
  if (!isComplete || !/^(?:0|[1-9][0-9]{0,15})$/.test(digits) || !Number.isSafeInteger(size)) return null;
  // Only the standard form of base64, so that one root has one text.
  if (root?.length !== HASH_BYTES || toBase64(root) !== encoded) return null;
  return { origin, size, root };
}

/** The checkpoint in a note, regardless of its signatures; null where there is none. */
export function checkpointIn(note: string): Checkpoint | null {
  const parsed = parseNote(note);
  return parsed && parseCheckpoint(parsed.text);
}
