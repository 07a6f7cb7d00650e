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

const TOKEN_HEADERS = { authorization: "authorization", coderSessionToken: "coder-session-token" } as const;
const SESSION_HEADERS = {
  host: "host",
  cookie: "cookie",
  csrfToken: CSRF_HEADER,
  origin: "origin",
  secFetchSite: "sec-fetch-site",
  contentType: "content-type",
  accessToken: "cf-access-jwt-assertion",
} as const satisfies Readonly<Record<Exclude<keyof SessionHeaders, "method">, string>>;

type Values<Names> = { readonly [Name in keyof Names]: string | null };

export const readAdminHeaders = ({
  method,
  headers,
}: Pick<Request, "method" | "headers">): AdminHeaders & { readonly session: SessionHeaders } => ({
  ...valuesOf(TOKEN_HEADERS, headers),
  session: { method, ...valuesOf(SESSION_HEADERS, headers) },
});

const valuesOf = <Names extends Readonly<Record<string, string>>>(
  names: Names,
  headers: Headers,
): Values<Names> =>
  // `fromEntries` forgets the names.
  Object.fromEntries(
    Object.entries(names).map(([name, header]) => [name, headers.get(header)]),
  ) as Values<Names>;

/** The headers of `readAdminHeaders` alone, for a request on behalf of the same caller. */
export const onlyAdminHeaders = (headers: Headers): Headers =>
  new Headers(
    Object.values({ ...TOKEN_HEADERS, ...SESSION_HEADERS }).flatMap((name) => {
      const value = headers.get(name);
      return value === null ? [] : [[name, value] as const];
    }),
  );
