import { LOCAL_ADMIN_TOKEN } from "./local-keys.ts";

export const NO_ADMIN_TOKEN = "INTERCEPTOR_ADMIN_TOKEN is not set: the API requires the admin token.";

/** The admin token for the API at this address; null where none is set. The public local token is sent to loopback only. */
export function adminToken(url: string): string | null {
  const token = process.env["INTERCEPTOR_ADMIN_TOKEN"] ?? "";
  return token || (isLoopback(url) ? LOCAL_ADMIN_TOKEN : null);
}

export function isLoopback(url: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}
