/**
 * Detects the client software from the request's headers. The result is a hint that any caller can spoof, never proof.
 */
import { asObject, parseObject } from "../../shared/json.ts";
import { truncate } from "../../shared/text.ts";
import { CLIENTS, UNKNOWN_CLIENT, type ClientHeader, type ClientRow } from "./clients.ts";

export type Client = {
  readonly name: string;
  /** As sent, truncated for records; null if there was none. */
  readonly userAgent: string | null;
  readonly row: ClientRow | null;
};

const MAX_USER_AGENT = 1024;
const RECORDED_USER_AGENT = 256;
const MAX_SESSION_ID = 128;
const MAX_USER_ID = 4096;

/** Never fails. A request is `Unknown` if no row matches. A repeated or over-long (1,024 characters) User-Agent matches none. */
export function detectClient(headers: Headers): Client {
  const userAgent = headers.get("user-agent");
  const row = findRow(userAgent, headers);
  const recorded = userAgent && truncate(userAgent, RECORDED_USER_AGENT);
  return { name: row?.name ?? UNKNOWN_CLIENT, userAgent: recorded || null, row };
}

function findRow(sent: string | null, headers: Headers): ClientRow | null {
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

function matches({ name, value }: ClientHeader, headers: Headers): boolean {
  const sent = headers.get(name);
  if (sent === null) return false;
  return value === undefined || sent.toLowerCase() === value;
}

/** The client's own session id, of at most 128 visible ASCII characters; null if the request has no valid one. */
export function sessionId(
  client: Client,
  headers: Headers,
  body: Readonly<Record<string, unknown>>,
): string | null {
  for (const source of client.row?.session ?? []) {
    const id = readSessionId("header" in source ? headers.get(source.header) : fromBody(source.body, body));
    if (id !== null) return id;
  }
  return null;
}

function fromBody(
  field: "metadata.user_id" | "prompt_cache_key",
  body: Readonly<Record<string, unknown>>,
): string | null {
  if (field === "metadata.user_id") return fromUserId(body["metadata"]);
  const key = body[field];
  return typeof key === "string" ? key : null;
}

/** Claude Code's `metadata.user_id` is a JSON object in a string with a `session_id`, or text that ends in `_session_<id>`. */
function fromUserId(metadata: unknown): string | null {
  const userId = asObject(metadata)?.["user_id"];
  if (typeof userId !== "string" || userId.length > MAX_USER_ID) return null;
  if (userId.startsWith("{")) {
    const id = parseObject(userId)?.["session_id"];
    return typeof id === "string" ? id : null;
  }
  const mark = userId.lastIndexOf("_session_");
  return mark < 0 ? null : userId.slice(mark + "_session_".length);
}

function readSessionId(value: string | null): string | null {
  const id = value?.trim() ?? "";
  return id.length > 0 && id.length <= MAX_SESSION_ID && /^[\x21-\x7e]+$/.test(id) ? id : null;
}
