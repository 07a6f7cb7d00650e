/** Authenticates the caller of the API: the holder of an admin token, or a session of the console. */
import type { AdminHeaders } from "../../shared/admin-headers.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { Scope, Scopes } from "../../shared/scopes.ts";

export type Reader = {
  /** The name in events: `token:` and the token's id, or `console:` and the name of the session. */
  readonly by: string;
  readonly scopes: Scopes;
};

/** Decides about a request. Refuses `admin_only`, `scope_missing`, `csrf_rejected` and `ledger_unavailable`. */
export type Admit = (headers: AdminHeaders, needed: Scope) => Promise<Reader | Refusal>;

export type AdmitDeps = {
  readonly authorizeToken: (headers: AdminHeaders) => Promise<Reader | Refusal>;
  /** null where the request has no session of the console. */
  readonly authenticateSession: (headers: AdminHeaders) => Promise<Reader | Refusal | null>;
};

/** A request with a token is authenticated by it alone: with a wrong token, a cookie does not count. */
export const createAdmit =
  ({ authorizeToken, authenticateSession }: AdmitDeps): Admit =>
  async (headers, needed) => {
    const hasToken = headers.authorization !== null || headers.coderSessionToken !== null;
    const session = hasToken ? null : await authenticateSession(headers);
    const reader = session ?? (await authorizeToken(headers));
    if (reader instanceof Refusal || reader.scopes.includes(needed)) return reader;
    return new Refusal("scope_missing", { detail: `${needed} is not among the reader's scopes` });
  };
