/**
 * What is odd about a request as it stands, in fixed words. Receives what has been decided of it and its headers; asks
 * nobody, holds nothing of the caller's. What takes more than one request to see is the ledger's (`ledger/anomalies.ts`).
 */
import type { Initiator } from "./decision.ts";

export type Flag =
  | "owner_rejected" // an owner header was sent, and did not count
  | "coder_agents_without_headers"; // Coder Agents names owner and chat in every call: this one names neither

const NONE: readonly Flag[] = [];

/** `isCoderAgents`: it says so itself, and no gateway has spoken for it. */
export function detectFlags(
  isCoderAgents: boolean,
  headers: Headers,
  { owner }: Pick<Initiator, "owner">,
): readonly Flag[] {
  if (typeof owner === "object") return ["owner_rejected"];
  if (isCoderAgents && !isPresent(headers, "x-coder-owner-id") && !isPresent(headers, "x-coder-chat-id"))
    return ["coder_agents_without_headers"];
  return NONE;
}

const isPresent = (headers: Headers, name: string): boolean => (headers.get(name) ?? "").trim() !== "";
