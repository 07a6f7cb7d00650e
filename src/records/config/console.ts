/** The table `CONSOLE`: where the console is served, who may sign in, and what they may do. */
import type { Environment } from "../../shared/config/environment.ts";
import { oneOfIssue, type Fields } from "../../shared/config/fields.ts";
import { ALL_SCOPES, isScope, sortedScopes, type Scopes } from "../../shared/scopes.ts";
import { accessTokenOptions } from "../../shared/tokens/access-token.ts";
import { ALGORITHMS } from "../../shared/tokens/signed-token.ts";
import type {
  AccessSettings,
  ConsoleSettings,
  NamedToken,
  OidcSettings,
  PersonClaims,
} from "../console/settings.ts";

/** The name of the holder of `ADMIN_TOKEN`. */
const ADMIN_NAME = "admin";

/** The tokens of `ADMIN_TOKEN`: one SHA-256, during a rotation two with a space between; none where it is not set. */
export const adminTokens = (adminTokenSha256: string | null): readonly NamedToken[] =>
  (adminTokenSha256?.split(" ") ?? []).map((sha256) => ({ name: ADMIN_NAME, sha256, scopes: ALL_SCOPES }));

const DEFAULT_IDLE_MINUTES = 30;
const DEFAULT_MAX_HOURS = 8;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** `adminTokenSha256`: of `ADMIN_TOKEN`. */
export function readConsole(
  { fields, secret }: Environment,
  adminTokenSha256: string | null,
): ConsoleSettings {
  const table = fields("CONSOLE");
  const settings: ConsoleSettings = {
    origins: readOrigins(table),
    tokenSignIn: table.flag("token_sign_in", true),
    tokens: [...adminTokens(adminTokenSha256), ...readTokens(table)],
    roles: readRoles(table),
    idleMs: table.count("idle_minutes", 1, 24 * 60, DEFAULT_IDLE_MINUTES) * MINUTE_MS,
    maxMs: table.count("max_hours", 1, 7 * 24, DEFAULT_MAX_HOURS) * HOUR_MS,
    access: readAccess(table),
    oidc: readOidc(table, secret),
  };
  table.rejectUnknown();
  const byPerson = settings.access !== null || settings.oidc !== null;
  if (byPerson && settings.roles.size === 0)
    table.reject("roles", "is required with access and oidc: without it no person has a scope");
  if (byPerson && settings.origins.length === 0)
    table.reject("origins", "is required with access and oidc: the console is off without it");
  const names = new Map(settings.tokens.map(({ sha256, name }) => [sha256, name]));
  if (settings.tokens.some(({ sha256, name }) => names.get(sha256) !== name))
    table.reject("tokens", "must not have one token under two names");
  return settings;
}

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

function readOrigins(table: Fields): readonly string[] {
  const origins = table.texts("origins") ?? [];
  for (const [at, origin] of origins.entries()) {
    const url = URL.canParse(origin) ? new URL(origin) : null;
    const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && LOOPBACK.test(url.hostname));
    if (url?.origin !== origin || !isSafe)
      table.reject(
        `origins[${at}]`,
        "must be an origin without a path: https://ai-console.your-company.com (http only on this machine)",
      );
  }
  return origins.filter((origin) => URL.canParse(origin));
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** `CONSOLE.tokens`: name → { sha256, scopes }. */
function readTokens(table: Fields): readonly NamedToken[] {
  const tokens = table.nested("tokens");
  return Object.keys(tokens?.table ?? {}).flatMap((name) => {
    if (!NAME.test(name) || name === ADMIN_NAME) {
      table.reject("tokens", `must have names that match ${NAME.source}, and not "${ADMIN_NAME}"`);
      return [];
    }
    const entry = tokens?.nested(name);
    if (!entry) return [];
    const digests = (entry.required("sha256") ?? "").split(" ");
    const scopes = readScopes(entry, "scopes", entry.texts("scopes"));
    entry.rejectUnknown();
    // Perhaps the token itself, which is not quoted.
    if (digests.length > 2 || !digests.every((digest) => /^[0-9a-f]{64}$/.test(digest)))
      entry.reject("sha256", "must be a SHA-256 in 64 lower-case hex digits, or two with a space between");
    return digests.map((sha256) => ({ name, sha256, scopes }));
  });
}

/** `CONSOLE.roles`: a value of the role claim → scopes. */
function readRoles(table: Fields): ReadonlyMap<string, Scopes> {
  const roles = table.nested("roles");
  const names = Object.keys(roles?.table ?? {});
  return new Map(names.map((name) => [name, roles ? readScopes(roles, name, roles.texts(name)) : []]));
}

function readScopes(table: Fields, key: string, words: readonly string[] | null): Scopes {
  const scopes = (words ?? []).filter(isScope);
  if (words === null || scopes.length !== words.length) table.reject(key, `${oneOfIssue(ALL_SCOPES)} each`);
  else if (!scopes.includes("read")) table.reject(key, 'must include "read"');
  return sortedScopes(scopes);
}

const readClaims = (table: Fields, role: string): PersonClaims => ({
  name: table.text("name_claim") ?? "email",
  role: table.text("role_claim") ?? role,
});

function readAccess(table: Fields): AccessSettings | null {
  const access = table.nested("access");
  if (!access) return null;
  const team = access.url("team_domain") ?? "";
  if (team !== "" && team !== new URL(team).origin) access.reject("team_domain", "must not contain a path");
  const audience = access.requiredTexts("audience");
  const claims = readClaims(access, "email");
  access.rejectUnknown();
  return { ...claims, token: accessTokenOptions(team, audience) };
}

function readOidc(table: Fields, secret: Environment["secret"]): OidcSettings | null {
  const oidc = table.nested("oidc");
  if (!oidc) return null;
  const clientId = oidc.required("client_id") ?? "";
  const algorithms = oidc.texts("algorithms") ?? ["RS256", "ES256"];
  if (algorithms.length === 0 || algorithms.some((word) => !ALGORITHMS.includes(word)))
    oidc.reject("algorithms", `${oneOfIssue(ALGORITHMS)} each`);
  const isPublic = oidc.flag("public_client", false);
  const settings: OidcSettings = {
    ...readClaims(oidc, "groups"),
    clientId,
    clientSecret: isPublic ? null : oidc.secret("secret", secret),
    authorizationUrl: oidc.url("authorization_url") ?? "",
    tokenUrl: oidc.url("token_url") ?? "",
    scope: oidc.text("scope") ?? "openid email profile",
    token: {
      issuer: oidc.required("issuer") ?? "",
      // `url` validates it, but the text is used: a trailing slash is significant here.
      jwksUrl: (oidc.url("jwks_url") && oidc.text("jwks_url")) ?? "",
      audience: [clientId],
      algorithms,
      // Of a token that was made for this sign-in.
      maxAgeS: 600,
      maxRemainingS: null,
      toleranceS: 60,
      cooldownMs: 30_000,
      timeoutMs: 5000,
    },
  };
  if (!settings.scope.split(" ").includes("openid")) oidc.reject("scope", 'must include "openid"');
  oidc.rejectUnknown();
  return settings;
}
