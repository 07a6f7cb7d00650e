/** The one who reads: the holder of an admin token, or a person who is signed in to the console. */
import type { AdminHeaders } from "../../shared/admin-headers.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { Scope, Scopes } from "../../shared/scopes.ts";

export type Reader = {
  /** As events name them: `token:` and the token's id, or `console:` and the name of the session. */
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

/** A token that the client chose to send precedes the cookie that its browser adds, also where it is wrong. */
export const createAdmit =
  ({ authorizeToken, authenticateSession }: AdmitDeps): Admit =>
  async (headers, needed) => {
    const hasToken = headers.authorization !== null || headers.coderSessionToken !== null;
    const session = hasToken ? null : await authenticateSession(headers);
    const reader = session ?? (await authorizeToken(headers));
    if (reader instanceof Refusal || reader.scopes.includes(needed)) return reader;
    return new Refusal("scope_missing", { detail: `${needed} is not among the reader's scopes` });
  };
