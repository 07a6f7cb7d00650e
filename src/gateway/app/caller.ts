/** The caller of a request as its records have it, once it is decided. */
import { toCaller, type Caller } from "../../events/compose.ts";
import type { HeaderReader } from "../../shared/http/named-headers.ts";
import { headerSessionId } from "../client/client.ts";
import { CODER_AGENTS } from "../client/clients.ts";
import { areIdsEvidence } from "../initiator/decision.ts";
import { readCoderIds } from "../initiator/owner-claim.ts";
import type { AssertionRules } from "../initiator/rules.ts";
import type { RequestDecision } from "./decide.ts";

/** `id`: of the interception. `headers`: those of the request, or of the described one. */
export function callerOf(
  id: string,
  headers: HeaderReader,
  { actor, client, claim, decision, delegation }: RequestDecision,
  assertion: AssertionRules,
): Caller {
  const isEvidence = areIdsEvidence(claim, assertion, decision);
  const isSigned = decision.trace.signature === "valid";
  // The session of Coder Agents is its chat.
  const isClaimedChat = client.name === CODER_AGENTS && !isEvidence;
  return toCaller({
    id,
    actor,
    initiator: decision.initiator,
    client,
    sessionId: isClaimedChat ? null : headerSessionId(client, headers),
    coder: readCoderIds(claim.sent, delegation, { isEvidence, isSigned }),
  });
}

/** The name of the initiator: of an owner, or of the actor that is its own initiator. null where it is not known. */
export const initiatorNameOf = ({ actor, decision: { initiator } }: RequestDecision): string | null =>
  initiator.name ?? (initiator.attribution === "authenticated" ? actor.name : null);
