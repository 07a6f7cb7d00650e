/**
 * Which software is calling, by its own word: a hint that anyone can give, never proof of anything.
 */
import { CLIENTS, UNKNOWN_CLIENT, type ClientRow } from "./clients.ts";

export type Client = {
  readonly name: string;
  /** As sent, cut for records; null where there was none. */
  readonly userAgent: string | null;
  readonly row: ClientRow | null;
};

const MAX_USER_AGENT = 1024;
const RECORDED_USER_AGENT = 256;
const MAX_SESSION_ID = 128;

/** Never fails: what matches no row, says two things at once, or is over 1,024 characters, is `Unknown`. */
export function detectClient(headers: Headers): Client {
  const sent = headers.get("user-agent");
  const row = findRow(sent, headers);
  // Not through the middle of a surrogate pair: half of one is no text to a strict reader of the log.
  const cut = sent?.slice(0, RECORDED_USER_AGENT).replace(/[\ud800-\udbff]$/, "");
  return { name: row?.name ?? UNKNOWN_CLIENT, userAgent: cut || null, row };
}

function findRow(sent: string | null, headers: Headers): ClientRow | null {
  const userAgent = sent && sent.length <= MAX_USER_AGENT && !isSeveral(sent) ? sent.toLowerCase() : null;
  for (const row of CLIENTS) {
    if (userAgent !== null && row.userAgent.some((start) => userAgent.startsWith(start))) return row;
    if (row.header && matchesHeader(headers.get(row.header.name), row.header.value)) return row;
  }
  return null;
}

/** Two User-Agent fields arrive joined by a comma; one field has commas only inside its comments (RFC 9110 §10.1.5). */
function isSeveral(userAgent: string): boolean {
  return userAgent.includes(",") && userAgent.replace(/\([^()]*\)/g, "").includes(",");
}

function matchesHeader(sent: string | null, wanted: string | undefined): boolean {
  if (sent === null) return false;
  return wanted === undefined || sent.toLowerCase() === wanted;
}

/** The client's own id of its session, or null. Taken only as up to 128 visible ASCII characters. */
export function sessionId(
  client: Client,
  headers: Headers,
  body: Readonly<Record<string, unknown>>,
): string | null {
  for (const source of client.row?.session ?? []) {
    const found = plainId("header" in source ? headers.get(source.header) : fromUserId(body["metadata"]));
    if (found !== null) return found;
  }
  return null;
}

/** Claude Code's `metadata.user_id`: a JSON string that has a `session_id`, else text that ends in `_session_<id>`. */
function fromUserId(metadata: unknown): string | null {
  const userId = (metadata as { user_id?: unknown } | null | undefined)?.user_id;
  if (typeof userId !== "string" || userId.length > 4096) return null;
  if (userId.startsWith("{")) {
    try {
      const id = (JSON.parse(userId) as { session_id?: unknown } | null)?.session_id;
      return typeof id === "string" ? id : null;
    } catch {
      return null;
    }
  }
  const mark = userId.lastIndexOf("_session_");
  return mark < 0 ? null : userId.slice(mark + "_session_".length);
}

function plainId(value: string | null): string | null {
  const id = value?.trim() ?? "";
  return id.length > 0 && id.length <= MAX_SESSION_ID && /^[\x21-\x7e]+$/.test(id) ? id : null;
}
