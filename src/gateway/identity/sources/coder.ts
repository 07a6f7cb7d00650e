/**
 * Source `coder`: session tokens and API keys of a Coder deployment. Queries `GET /api/v2/users/me` with the token and
 * returns the user if it is active. A service account becomes an actor of kind `service`.
 *
 * A token that is revoked, or whose user is suspended, is rejected within `cache_ttl_s`. While Coder does not respond,
 * only users identified within that time are accepted.
 */
import { keyIdOf } from "../../../shared/digest.ts";
import { fetchText } from "../../../shared/http/fetch-text.ts";
import { parseObject, type JsonObject } from "../../../shared/json.ts";
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
    const lookUp = createCachedLookup(lookupOptions, deps.now);
    return {
      recognizes,
      identify: async ({ identity }) => {
        if (identity === null || !recognizes(identity)) return null;
        return lookUp(identity.sha256, () => queryCoder(url, identity, lookupOptions.timeoutMs, deps));
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

/** Sends only the token to Coder, and only to the configured URL. */
async function queryCoder(
  url: string,
  { value, sha256 }: Secret,
  timeoutMs: number,
  { fetch: fetcher }: SourceDeps,
): Promise<LookupResult> {
  const response = await fetchText(fetcher, {
    url: `${url}/api/v2/users/me`,
    headers: { "coder-session-token": value, accept: "application/json" },
    timeoutMs,
    maxBytes: MAX_RESPONSE_BYTES,
  });
  if ("failure" in response) return unavailable(response.failure);
  const { status, text } = response;
  if (status === 401 || status === 403)
    return new Refusal("invalid_credential", { detail: `coder: status ${status}` });
  return status === 200 ? readUser(text, sha256) : unavailable(`status ${status}`);
}

const unavailable = (detail: string): Refusal =>
  new Refusal("identity_unavailable", { detail: `coder: ${detail}` });

/** An invalid response is `identity_unavailable`: it may come from a proxy or a login page, and says nothing of the token. */
function readUser(text: string, sha256: string): LookupResult {
  const user: JsonObject = parseObject(text) ?? {};
  const { status, is_service_account: isService } = user;
  const id = readUserId(user["id"]);
  const name = readName(user["username"]);
  if (id === null) return unavailable("the response has no valid user id");
  if (name === null) return unavailable("the response has no valid username");
  if (typeof status !== "string") return unavailable("the response has no valid status");
  if (isService !== undefined && typeof isService !== "boolean")
    return unavailable("the response has no valid is_service_account");
  if (status !== "active")
    return new Refusal("invalid_credential", { detail: "coder: the user is not active" });
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
