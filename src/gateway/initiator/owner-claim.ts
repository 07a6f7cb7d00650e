/**
 * What a request says about on whose account it is, read off its headers once. Believes nothing of it yet.
 */
import type { Actor } from "../identity/identity.ts";
import type { Delegation } from "./delegation.ts";
import { readCoderId, readOwnerHeader, type OwnerHeader } from "./owner-header.ts";
import { readSignatureHeader, type SignatureHeader } from "./signature.ts";

/** Who says it, and how. */
export type Asserter = {
  readonly actor: Actor;
  /** The client says that it is Coder Agents. */
  readonly isCoderAgents: boolean;
  /** The actor is a gateway that has shown its key (`delegation.ts`). */
  readonly isDelegating: boolean;
};

export type OwnerClaim = Asserter & {
  readonly owner: OwnerHeader;
  readonly signature: SignatureHeader;
  /** When it was made, in milliseconds since 1970. */
  readonly at: number;
};

export type ClaimRequest = {
  readonly method: string;
  /** Path and query as the client sent them. */
  readonly uri: string;
  readonly headers: Headers;
};

export function readOwnerClaim(
  speaker: Asserter,
  { method, uri, headers }: ClaimRequest,
  at: number,
): OwnerClaim {
  const { actor, isCoderAgents, isDelegating } = speaker;
  const owner = readOwnerHeader(headers.get("x-coder-owner-id"));
  // Without an owner there is nothing that a signature could say.
  const signature = owner.kind === "owner" ? readSignatureHeader(headers, method, uri) : ABSENT;
  return { actor, isCoderAgents, isDelegating, owner, signature, at };
}

const ABSENT: SignatureHeader = { kind: "absent" };

/** The conversation's ids, for the records. A delegating gateway's word goes before that of the client behind it. */
export function readCoderIds(headers: Headers, delegation: Delegation | null) {
  return {
    chat_id: readCoderId(headers.get("x-coder-chat-id")),
    subchat_id: readCoderId(headers.get("x-coder-subchat-id")),
    workspace_id: delegation?.workspaceId ?? readCoderId(headers.get("x-coder-workspace-id")),
    delegated_key_id: delegation?.keyId ?? null,
    delegated_source: delegation?.source ?? null,
  };
}
