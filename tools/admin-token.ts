import { LOCAL_ADMIN_TOKEN } from "./local-keys.ts";

export const NO_ADMIN_TOKEN = "INTERCEPTOR_ADMIN_TOKEN is not set: the API is the admin's alone.";

/** For the API at this address; null where there is none. The public local token is sent nowhere but to this machine. */
export function adminToken(url: string): string | null {
  const set = process.env["INTERCEPTOR_ADMIN_TOKEN"] ?? "";
  return set || (isLoopback(url) ? LOCAL_ADMIN_TOKEN : null);
}

function isLoopback(url: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}
