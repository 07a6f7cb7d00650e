/**
 * After the owner decision: flags for anomalies that a single request shows. Flags are fixed words and hold no value
 * that the caller sent. Anomalies across several requests are found by the records Worker's cron.
 */
import type { Flag } from "../../events/vocabulary.ts";
import type { Decision } from "./decision.ts";
import { readCoderId } from "./owner-header.ts";
import type { OwnerClaim } from "./owner-claim.ts";

const NONE: readonly Flag[] = [];

export function detectFlags(
  { isCoderAgents, isDelegating, owner, sent }: OwnerClaim,
  { rejection, acceptedOwner }: Pick<Decision, "rejection" | "acceptedOwner">,
): readonly Flag[] {
  if (rejection !== null) return ["owner_rejected"];
  // A delegating gateway's own headers identify the user, regardless of the client behind it.
  const isDirectAgentsCall = isCoderAgents && !isDelegating;
  // Coder Agents names an owner and a chat in every call. A chat that is no id counts as none: it is not recorded, so
  // nothing could be found by it.
  if (!isDirectAgentsCall || readCoderId(sent.chat) !== null) return NONE;
  if (owner.kind === "absent") return ["coder_agents_without_headers"];
  return acceptedOwner === null ? NONE : ["owner_without_chat"];
}
