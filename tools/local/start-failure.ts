/** Something went wrong that a person can mend: shown as its one sentence, never with a stack. */
export class StartFailure extends Error {}

/** The sentence for whatever was thrown. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
