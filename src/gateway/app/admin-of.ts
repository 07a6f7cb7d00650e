/** Names the administrator of an API call whom the records Worker has authorized, as that names it in its own events. */
import { sha256Hex } from "../../shared/digest.ts";

/** `token:` and the first 16 hex digits of the admin token's SHA-256. */
export async function adminOf({ headers }: Request): Promise<string> {
  const token =
    headers.get("coder-session-token") ?? (headers.get("authorization") ?? "").replace(/^bearer\s+/i, "");
  return `token:${(await sha256Hex(token)).slice(0, 16)}`;
}
