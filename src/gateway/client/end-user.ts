/**
 * The client's word for its own user: an end user behind the actor, such as a person in a chat application. Any caller can
 * write any name there, so it is a hint for the record, and decides nothing.
 */
import { asObject, parseObject, type JsonObject } from "../../shared/json.ts";

const MAX_SENT = 4096;
/** Open WebUI sends them with `ENABLE_FORWARD_USER_INFO_HEADERS`. */
const HEADERS = ["x-openwebui-user-id", "x-openwebui-user-email"];

/** The first one that is a text: OpenAI's two fields, Anthropic's, Open WebUI's headers. null if there is none. */
export function readEndUser(headers: Headers, body: JsonObject): string | null {
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

/** Claude Code's id also names the session; without it, all sessions of a user have one id. */
function withoutSession(userId: string): string | null {
  if (!userId.startsWith("{")) return userId.replace(/_session_[^_]*$/, "");
  const fields = parseObject(userId);
  if (fields?.["session_id"] === undefined) return userId;
  return asText(fields["account_uuid"]) ?? asText(fields["device_id"]);
}
