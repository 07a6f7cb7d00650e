/** A failure that the user can fix: printed as one sentence, without a stack. */
export class StartFailure extends Error {}

/** The exit code of a command whose arguments are not valid. */
export const BAD_USAGE = 2;

/** The sentence about an argument that `parseArgs` rejects, without Node's second one, about positional arguments. */
export function argumentError(error: unknown): string {
  return sentenceOf(error).replace(/(?:\. (?:To specify|This command).*|\.)?$/s, ".");
}

/** The message of anything that was thrown. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
