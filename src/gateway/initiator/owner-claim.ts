/**
 * The owner decision, step 1 of 4: read the claim. The owner header, Coder's other id headers and the signature are
 * read from the request once, here. The claim is not verified yet.
 *
 * 1. `owner-claim.ts` reads the claim from the request's headers.
 * 2. `rules.ts` says whether the actor may assert owners, and which further checks an owner must pass.
 * 3. `decision.ts` decides from the claim, the rules and the proof so far, and names the proof that it still needs.
 * 4. `verify-assertion.ts` collects that proof and repeats step 3 until no proof is missing.
 *
 * Two consequences follow: `on-invalid.ts` (is the request refused?) and `flags.ts` (is it flagged as an anomaly?).
 */
import type { ClaimedIds, CoderIds } from "../../events/fields.ts";
import type { Actor } from "../identity/identity.ts";
import type { Delegation } from "./delegation.ts";
import { readCoderId, readOwnerHeader, type CoderIdHeaders, type OwnerHeader } from "./owner-header.ts";
import { hasHttpSignature, readHttpSignature } from "./http-signature/read.ts";
import { readSignatureHeader, type SignableRequest, type SignatureHeader } from "./signature.ts";

/** The sender of an owner header. */
export type Asserter = {
  readonly actor: Actor;
  /** Whether the client identifies itself as Coder Agents. A hint, never proof. */
  readonly isCoderAgents: boolean;
  /** Whether the actor is a gateway that presented a delegation key (`delegation.ts`). */
  readonly isDelegating: boolean;
};

export type OwnerClaim = Asserter & {
  /** The headers as sent. Every later step, flag and event takes them from here instead of reading them again. */
  readonly sent: CoderIdHeaders;
  readonly owner: OwnerHeader;
  readonly signature: SignatureHeader;
  /** When the claim was read, after identification: milliseconds since 1970. A signature is checked against it. */
  readonly at: number;
};

export function readOwnerClaim(asserter: Asserter, request: SignableRequest, at: number): OwnerClaim {
  const { actor, isCoderAgents, isDelegating } = asserter;
  const { headers } = request;
  const sent = {
    owner: headers.get("x-coder-owner-id"),
    chat: headers.get("x-coder-chat-id"),
    subchat: headers.get("x-coder-subchat-id"),
    workspace: headers.get("x-coder-workspace-id"),
  };
  const owner = readOwnerHeader(sent.owner);
  // A signature vouches for an owner. Without one there is nothing to verify.
  const signature = owner.kind === "owner" ? readSignature(request, sent) : ABSENT;
  return { actor, isCoderAgents, isDelegating, sent, owner, signature, at };
}

const ABSENT: SignatureHeader = { kind: "absent" };

/** In either format. A request with both could be signed for two different owners. */
function readSignature(request: SignableRequest, sent: CoderIdHeaders): SignatureHeader {
  const signature = readSignatureHeader(request, sent);
  if (!hasHttpSignature(request)) return signature;
  return signature.kind === "absent" ? readHttpSignature(request) : { kind: "malformed" };
}

/** How the ids of the conversation are recorded. */
export type IdsEvidence = {
  /** Whether they are evidence. If not, they are only what the caller claims. */
  readonly isEvidence: boolean;
  /** Whether a verified signature covers them. */
  readonly isSigned: boolean;
};

/**
 * The conversation's ids, for the records. The workspace id of a delegating gateway takes precedence over the client's,
 * unless a signature covers the latter.
 */
export function readCoderIds(
  { chat, subchat, workspace }: CoderIdHeaders,
  delegation: Delegation | null,
  { isEvidence, isSigned }: IdsEvidence,
): CoderIds {
  const delegated = isSigned ? null : (delegation?.workspaceId ?? null);
  const ids = {
    chat_id: readCoderId(chat),
    subchat_id: readCoderId(subchat),
    workspace_id: delegated ?? readCoderId(workspace),
  };
  return {
    ...(isEvidence ? ids : NO_IDS),
    delegated_key_id: delegation?.keyId ?? null,
    delegated_source: delegation?.source ?? null,
    claimed_ids: isEvidence ? null : claimed(ids),
  };
}

const NO_IDS = { chat_id: null, subchat_id: null, workspace_id: null };

/** The ids that are not null; null where there is none. */
function claimed(ids: Readonly<Record<keyof ClaimedIds, string | null>>): ClaimedIds | null {
  const sent = Object.entries(ids).filter(([, id]) => id !== null);
  return sent.length > 0 ? Object.fromEntries(sent) : null;
}
