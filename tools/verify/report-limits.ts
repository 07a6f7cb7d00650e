/** The limits of a verification, in sentences. A report that leaves them out would claim too much. */
import type { Verification } from "./report-text.ts";

/** Findings that a deletion causes which is not on record yet. */
const OF_DELETION = ["missing", "overdeleted", "derived_altered", "totals_altered"] as const;

export function notShown({ report, keys, source }: Verification): string[] {
  const { leaves, anchoredSize, pendingEvents, unmarkedEvents, unsealedEvents, counts } = report;
  const lines = [
    "That an event was true when it was stored: a compromised gateway records falsehoods. See docs/verify.md.",
  ];
  if (leaves === 0) return lines;
  if (keys === 0)
    lines.push(
      "Whose log it is: without --key, verify trusts the first key that the log itself names. Another log, made and signed by " +
        "a person who can write to the database, would look like this one.",
    );
  if (anchoredSize === 0)
    lines.push(
      "That this is the log of the past, because it is not anchored: without --checkpoint, a log that was rewritten with " +
        "its key, or whose end was replaced before your first look, is not found.",
    );
  else if (anchoredSize < leaves)
    lines.push(
      `That the leaves from ${anchoredSize} on are those of the past: they are newer than your newest checkpoint.`,
    );
  if (unmarkedEvents > 0)
    lines.push(
      `That ${unmarkedEvents} events came from the gateway: they had no MAC that could be verified.`,
    );
  if (pendingEvents > 0) lines.push(`Anything about ${pendingEvents} events that are not sealed yet.`);
  if (unsealedEvents > 0) lines.push(`Anything about ${unsealedEvents} events from before the log.`);
  if (OF_DELETION.some((kind) => (counts[kind] ?? 0) > 0))
    lines.push(
      `Whether a deletion was running: it is on record only when it has ended. Run the command again, if ${source} is in use.`,
    );
  return lines;
}
