/**
 * Source `coder`: session tokens and API keys of a Coder deployment, which says whose they are. Receives the token, asks
 * `GET /api/v2/users/me`, hands on the user: only an active one, a service account known as such.
 *
 * A token that was revoked, or whose user was suspended, is refused within `cache_ttl_s`. While Coder does not answer,
 * whoever was known within that time still is, and nobody else.
 */
import { fetchText } from "../../../shared/http/fetch-text.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { readName, readUserId } from "../actor-id.ts";
import type { Secret } from "../credential.ts";
import type { IdentitySource, SourceOptions, SourceDeps } from "../identity.ts";
import { createCachedLookup, type CachedLookupOptions, type LookupResult } from "../cached-lookup.ts";

/** An id and a secret, of 10 and 22 letters and digits. Tokens of another form are left to other sources. */
const TOKEN = /^[A-Za-z0-9]{10}-[A-Za-z0-9]{22}$/;
/** A user with all its roles and organizations takes a few KB. */
const MAX_ANSWER_BYTES = 64 * 1024;

const recognizes = ({ value }: Secret): boolean => TOKEN.test(value);

export const coder: IdentitySource = {
  source: "coder",
  verifies: true,
  configure: ({ options, deps: world }) => {
    const url = options.url("url") ?? "";
    const rules = readLookupOptions(options);
    const look = createCachedLookup(rules, world.now);
    return {
      recognizes: recognizes,
      identify: ({ identity }) =>
        identity && recognizes(identity)
          ? look(identity.sha256, () => queryCoder(url, identity, rules.timeoutMs, world))
          : null,
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

/** Nothing but the token goes to Coder, and only to the configured address. */
async function queryCoder(
  url: string,
  { value, sha256 }: Secret,
  timeoutMs: number,
  { fetch: fetcher }: SourceDeps,
): Promise<LookupResult> {
  const found = await fetchText(fetcher, {
    url: `${url}/api/v2/users/me`,
    headers: { "coder-session-token": value, accept: "application/json" },
    timeoutMs,
    maxBytes: MAX_ANSWER_BYTES,
  });
  if ("failure" in found) return unavailable(found.failure);
  if (found.status === 401 || found.status === 403) {
    return new Refusal("invalid_credential", { detail: `coder: status ${found.status}` });
  }
  return found.status === 200 ? readUser(found.text, sha256) : unavailable(`status ${found.status}`);
}

const unavailable = (detail: string): Refusal =>
  new Refusal("identity_unavailable", { detail: `coder: ${detail}` });

function readUser(text: string, sha256: string): LookupResult {
  const { id: sent, username, status, is_service_account: service } = parse(text);
  const id = readUserId(sent);
  const name = readName(username);
  if (id === null) return unavailable("its answer names no user id");
  if (name === null) return unavailable("its answer names no user");
  if (typeof status !== "string") return unavailable("its answer says no status");
  if (service !== undefined && typeof service !== "boolean") return unavailable("its answer is no user");
  if (status !== "active")
    return new Refusal("invalid_credential", { detail: "coder: the user is not active" });
  return {
    id,
    kind: service ? "service" : "user",
    name,
    source: "coder",
    verified: true,
    keyId: sha256.slice(0, 16),
    mayAssert: null,
  };
}

/** Whatever the text is, as an object: an empty one where it is none. */
function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
