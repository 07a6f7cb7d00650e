/**
 * After the owner decision: flags for anomalies that a single request shows. Flags are fixed words and hold no value
 * that the caller sent. Anomalies across several requests are found by the records Worker's cron.
 */
import type { Flag } from "../../events/vocabulary.ts";
import type { Decision } from "./decision.ts";
import type { OwnerClaim } from "./owner-claim.ts";

const NONE: readonly Flag[] = [];

export function detectFlags(
  { isCoderAgents, isDelegating, owner, sent }: OwnerClaim,
  { rejection }: Pick<Decision, "rejection">,
): readonly Flag[] {
  if (rejection !== null) return ["owner_rejected"];
  // A delegating gateway's own headers identify the user, regardless of the client behind it.
  const isDirectAgentsCall = isCoderAgents && !isDelegating;
  // Coder Agents names an owner and a chat in every call.
  if (isDirectAgentsCall && owner.kind === "absent" && (sent.chat ?? "").trim() === "")
    return ["coder_agents_without_headers"];
  return NONE;
}
