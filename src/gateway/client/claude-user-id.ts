/** Claude Code's `metadata.user_id`, which names its user and its session in one text. */
import { parseObject } from "../../shared/json.ts";

const MAX_LENGTH = 4096;
const MARK = "_session_";

export type ClaudeUserId = {
  /** As found: any value that stands in its place. */
  readonly session: unknown;
  /** The account or the device: the same in all sessions of a user. As found. */
  readonly users: readonly unknown[];
};

/** A JSON object with a `session_id`, or in older versions `<user>_session_<id>`; null for a text of another client. */
export function readClaudeUserId(userId: unknown): ClaudeUserId | null {
  if (typeof userId !== "string" || userId.length > MAX_LENGTH) return null;
  if (userId.startsWith("{")) {
    const fields = parseObject(userId);
    if (fields?.["session_id"] === undefined) return null;
    return { session: fields["session_id"], users: [fields["account_uuid"], fields["device_id"]] };
  }
  const at = userId.lastIndexOf(MARK);
  return at < 0 ? null : { session: userId.slice(at + MARK.length), users: [userId.slice(0, at)] };
}
