/** A failure that the user can fix: printed as one sentence, without a stack. */
export class StartFailure extends Error {}

/** The message of anything that was thrown. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
