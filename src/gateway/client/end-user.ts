/**
 * The client's word for its own user: an end user behind the actor, such as a person in a chat application. Any caller can
 * write any name there, so it is a hint for the record, and decides nothing.
 */
import type { HeaderReader } from "../../shared/http/named-headers.ts";
import { asObject, type JsonObject } from "../../shared/json.ts";
import { readClaudeUserId } from "./claude-user-id.ts";

const MAX_SENT = 4096;
/** Open WebUI sends them with `ENABLE_FORWARD_USER_INFO_HEADERS`. */
const HEADERS = ["x-openwebui-user-id", "x-openwebui-user-email"];

/** The first one that is a text: OpenAI's two fields, Anthropic's, Open WebUI's headers. null if there is none. */
export function readEndUser(headers: HeaderReader, body: JsonObject): string | null {
  const userId = asText(asObject(body["metadata"])?.["user_id"]);
  const named =
    asText(body["safety_identifier"]) ?? asText(body["user"]) ?? (userId && withoutSession(userId));
  if (named !== null) return named;
  for (const name of HEADERS) {
    const value = asText(headers.get(name));
    if (value !== null) return value;
  }
  return null;
}

function asText(value: unknown): string | null {
  if (typeof value !== "string" || value.length > MAX_SENT) return null;
  return value.trim() || null;
}

/** Of Claude Code's id the user alone: with the session, each of a user's sessions would have an id of its own. */
function withoutSession(userId: string): string | null {
  const claude = readClaudeUserId(userId);
  if (claude === null) return userId;
  return claude.users.map(asText).find((user) => user !== null) ?? null;
}
