/**
 * After the owner decision: flags for anomalies that a single request shows. Flags are fixed words and hold no value
 * that the caller sent. Anomalies across several requests are found by the records Worker's cron.
 */
import type { Decision } from "./decision.ts";
import type { OwnerClaim } from "./owner-claim.ts";

export type Flag =
  | "owner_rejected" // an owner header was sent and not accepted
  | "coder_agents_without_headers"; // Coder Agents names owner and chat in every call, but this call names neither

const NONE: readonly Flag[] = [];

export function detectFlags(
  { isCoderAgents, isDelegating, owner, sent }: OwnerClaim,
  { rejection }: Pick<Decision, "rejection">,
): readonly Flag[] {
  if (rejection !== null) return ["owner_rejected"];
  // A delegating gateway's own headers identify the user, regardless of the client behind it.
  const isDirectAgentsCall = isCoderAgents && !isDelegating;
  if (isDirectAgentsCall && owner.kind === "absent" && (sent.chat ?? "").trim() === "")
    return ["coder_agents_without_headers"];
  return NONE;
}
