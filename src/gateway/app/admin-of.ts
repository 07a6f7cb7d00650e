/** The name of an administrator in events, where the records Worker that authorized the call returned no name. */
import { keyIdOf, sha256Hex } from "../../shared/digest.ts";

/** `token:` and the first 16 hex digits of the admin token's SHA-256. */
export async function adminOf({ headers }: Request): Promise<string> {
  const token =
    headers.get("coder-session-token") ?? (headers.get("authorization") ?? "").replace(/^bearer\s+/i, "");
  return `token:${keyIdOf(await sha256Hex(token))}`;
}
