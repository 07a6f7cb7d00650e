/**
 * Source `coder`: session tokens and API keys of a Coder deployment. Queries `GET /api/v2/users/me` with the token and
 * returns the user if it is active. A service account becomes an actor of kind `service`. Then queries
 * `GET /api/v2/users/me/keys/{id}`, because a token can be limited to scopes and resources that do not include model calls.
 *
 * A token that is revoked, or whose user is suspended, is rejected within `cache_ttl_s`. While Coder does not respond,
 * only users identified within that time are accepted.
 */
import { keyIdOf } from "../../../shared/digest.ts";
import { fetchText } from "../../../shared/http/fetch-text.ts";
import { asObject, parseObject, type JsonObject } from "../../../shared/json.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { readName, readUserId } from "../../../shared/actor-id.ts";
import { createCachedLookup, type CachedLookupOptions, type LookupResult } from "../cached-lookup.ts";
import type { Secret } from "../credential.ts";
import type { IdentitySource, SourceDeps, SourceOptions } from "../identity.ts";

/** An id of 10 and a secret of 22 letters and digits. Tokens of another form are left to other sources. */
const TOKEN = /^[A-Za-z0-9]{10}-[A-Za-z0-9]{22}$/;
/** A user with all its roles and organizations takes a few KB. */
const MAX_RESPONSE_BYTES = 64 * 1024;

const recognizes = ({ value }: Secret): boolean => TOKEN.test(value);

export const coder: IdentitySource = {
  source: "coder",
  verifies: true,
  configure: ({ options, deps }) => {
    const url = options.url("url") ?? "";
    const lookupOptions = readLookupOptions(options);
    const scopes = (options.texts("require_scope") ?? ["all"]).map(canonicalScope);
    const lookUp = createCachedLookup(lookupOptions, deps.now);
    return {
      recognizes,
      identify: async ({ identity }) => {
        if (identity === null || !recognizes(identity)) return null;
        return lookUp(identity.sha256, () => {
          const get = createGet(url, identity, lookupOptions.timeoutMs, deps);
          return queryCoder(get, identity, scopes);
        });
      },
    };
  },
};

function readLookupOptions(options: SourceOptions): CachedLookupOptions {
  return {
    ttlMs: options.count("cache_ttl_s", 0, 300, 60) * 1000,
    negativeTtlMs: options.count("negative_ttl_s", 0, 300, 10) * 1000,
    timeoutMs: options.count("timeout_ms", 1, 30_000, 5000),
  };
}

/** The body of a successful response, or why there is none. */
type Get = (path: string) => Promise<JsonObject | Refusal>;

/** Sends only the token to Coder, and only to the configured URL. */
function createGet(url: string, { value }: Secret, timeoutMs: number, { fetch: fetcher }: SourceDeps): Get {
  return async (path) => {
    const response = await fetchText(fetcher, {
      url: `${url}${path}`,
      headers: { "coder-session-token": value, accept: "application/json" },
      timeoutMs,
      maxBytes: MAX_RESPONSE_BYTES,
    });
    if ("failure" in response) return unavailable(response.failure);
    const { status, text } = response;
    const body = parseObject(text) ?? {};
    // Coder responds with 404 and a message to a token whose scopes do not include what it requests.
    const isHidden = status === 404 && typeof body["message"] === "string";
    if (status === 401 || status === 403 || isHidden) return rejected(`status ${status}`);
    return status === 200 ? body : unavailable(`status ${status}`);
  };
}

async function queryCoder(
  get: Get,
  { value, sha256 }: Secret,
  scopes: readonly string[],
): Promise<LookupResult> {
  const user = await get("/api/v2/users/me");
  const actor = user instanceof Refusal ? user : readUser(user, sha256);
  if (actor instanceof Refusal || scopes.length === 0) return actor;
  const key = await get(`/api/v2/users/me/keys/${value.slice(0, value.indexOf("-"))}`);
  return key instanceof Refusal ? key : (checkScope(key, scopes) ?? actor);
}

const unavailable = (detail: string): Refusal =>
  new Refusal("identity_unavailable", { detail: `coder: ${detail}` });
const rejected = (detail: string): Refusal =>
  new Refusal("invalid_credential", { detail: `coder: ${detail}` });

/** Coder stores `all` as `coder:all` and reports either. */
const canonicalScope = (scope: string): string => scope.replace(/^coder:/, "");

/** @returns null if the key has one of the scopes, for all resources. */
function checkScope(
  { scope, scopes: listed, allow_list: resources }: JsonObject,
  required: readonly string[],
): Refusal | null {
  // Older versions have only `scope`.
  const scopes: readonly unknown[] = Array.isArray(listed) ? listed : [scope];
  const hasScope = scopes.some((one) => typeof one === "string" && required.includes(canonicalScope(one)));
  if (!hasScope) return rejected("the token must have one of the required scopes");
  const isLimited = Array.isArray(resources) && resources.length > 0 && !resources.some(isEverything);
  return isLimited ? rejected("the token is limited to some resources") : null;
}

const isEverything = (resource: unknown): boolean => {
  const { type, id } = asObject(resource) ?? {};
  return type === "*" && id === "*";
};

/** An invalid response is `identity_unavailable`: it may come from a proxy or a login page, and says nothing of the token. */
function readUser(user: JsonObject, sha256: string): LookupResult {
  const { status, is_service_account: isService } = user;
  const id = readUserId(user["id"]);
  const name = readName(user["username"]);
  if (id === null) return unavailable("the response has no valid user id");
  if (name === null) return unavailable("the response has no valid username");
  if (typeof status !== "string") return unavailable("the response has no valid status");
  if (isService !== undefined && typeof isService !== "boolean")
    return unavailable("the response has no valid is_service_account");
  if (status !== "active") return rejected("the user is not active");
  return {
    id,
    kind: isService ? "service" : "user",
    name,
    source: "coder",
    verified: true,
    keyId: keyIdOf(sha256),
    mayAssert: null,
  };
}
