/**
 * Detects the client software from the request's headers. The result is a hint that any caller can spoof, never proof.
 */
import type { HeaderReader } from "../../shared/http/named-headers.ts";
import { asObject, type JsonObject } from "../../shared/json.ts";
import { truncate } from "../../shared/text.ts";
import { readClaudeUserId } from "./claude-user-id.ts";
import { CLIENTS, UNKNOWN_CLIENT, type ClientHeader, type ClientRow, type SessionId } from "./clients.ts";
import { toShortText } from "./short-text.ts";

export type Client = {
  readonly name: string;
  /** As sent, truncated for records; null if there was none. */
  readonly userAgent: string | null;
  readonly row: ClientRow | null;
};

const MAX_USER_AGENT = 1024;
const RECORDED_USER_AGENT = 256;

/** Never fails. A request is `Unknown` if no row matches. A repeated or over-long (1,024 characters) User-Agent matches none. */
export function detectClient(headers: HeaderReader): Client {
  const userAgent = headers.get("user-agent");
  const row = findRow(userAgent, headers);
  const recorded = userAgent && truncate(userAgent, RECORDED_USER_AGENT);
  return { name: row?.name ?? UNKNOWN_CLIENT, userAgent: recorded || null, row };
}

function findRow(sent: string | null, headers: HeaderReader): ClientRow | null {
  const userAgent = sent && sent.length <= MAX_USER_AGENT && !isRepeated(sent) ? sent.toLowerCase() : null;
  for (const row of CLIENTS) {
    if (userAgent !== null && row.userAgent.some((prefix) => userAgent.startsWith(prefix))) {
      if (!row.requires || matches(row.requires, headers)) return row;
    }
    if (row.headers?.some((header) => matches(header, headers))) return row;
  }
  return null;
}

/** Two User-Agent fields arrive joined by a comma; one field has commas only inside its comments (RFC 9110 §10.1.5). */
function isRepeated(userAgent: string): boolean {
  return userAgent.includes(",") && userAgent.replace(/\([^()]*\)/g, "").includes(",");
}

function matches({ name, value }: ClientHeader, headers: HeaderReader): boolean {
  const sent = headers.get(name);
  if (sent === null) return false;
  return value === undefined || sent.toLowerCase() === value;
}

/** The session id in the client's own headers, of at most 128 visible ASCII characters; null if there is no valid one. */
export function headerSessionId({ row }: Client, headers: HeaderReader): string | null {
  return firstId(row, (place) => ("header" in place ? headers.get(place.header) : null));
}

/** The session id in the fields of the body; null if there is no valid one. The headers take precedence. */
export function bodySessionId({ row }: Client, body: JsonObject): string | null {
  return firstId(row, (place) => ("body" in place ? fromBody(place.body, body) : null));
}

function firstId(row: ClientRow | null, read: (place: SessionId) => unknown): string | null {
  for (const place of row?.session ?? []) {
    const id = toShortText(read(place));
    if (id !== null) return id;
  }
  return null;
}

function fromBody(field: "metadata.user_id" | "prompt_cache_key", body: JsonObject): unknown {
  if (field === "prompt_cache_key") return body[field];
  return readClaudeUserId(asObject(body["metadata"])?.["user_id"])?.session;
}
