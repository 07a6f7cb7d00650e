/** The credentials of a request to the records API: an admin token, or a session of the console. Both Workers read them. */

/** The parts of a request that decide whether a session of the console counts for it. */
export type SessionHeaders = {
  readonly method: string;
  /** `Host`: the console's session counts on the console's host only. */
  readonly host: string | null;
  readonly cookie: string | null;
  /** `x-csrf-token`. */
  readonly csrfToken: string | null;
  readonly origin: string | null;
  readonly secFetchSite: string | null;
  readonly contentType: string | null;
  /** The token that Cloudflare Access adds. */
  readonly accessToken: string | null;
};

export type AdminHeaders = {
  readonly authorization: string | null;
  readonly coderSessionToken: string | null;
  /** Absent in a call of a gateway from before the console. */
  readonly session?: SessionHeaders;
};

export const CSRF_HEADER = "x-csrf-token";

export function readAdminHeaders({
  method,
  headers,
}: Pick<Request, "method" | "headers">): AdminHeaders & { readonly session: SessionHeaders } {
  return {
    authorization: headers.get("authorization"),
    coderSessionToken: headers.get("coder-session-token"),
    session: {
      method,
      host: headers.get("host"),
      cookie: headers.get("cookie"),
      csrfToken: headers.get(CSRF_HEADER),
      origin: headers.get("origin"),
      secFetchSite: headers.get("sec-fetch-site"),
      contentType: headers.get("content-type"),
      accessToken: headers.get("cf-access-jwt-assertion"),
    },
  };
}
