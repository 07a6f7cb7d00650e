/**
 * The claims that a token must have beside its signature, issuer and audience: `require` of source `jwt`.
 *
 * At an issuer that many organizations share, a valid signature proves only an account there, and the
 * requester often chooses the audience. Such an issuer needs a claim that names the organization.
 */
import { textIssue, type ReportIssue, type Table } from "../../shared/config/fields.ts";
import { hasClaim, type Claims } from "../../shared/claims.ts";

/** Each claim with the values of which it must have one. */
export type RequiredClaims = ReadonlyMap<string, readonly ClaimValue[]>;
type ClaimValue = string | number | boolean;

/** Issuers that serve many organizations, and the claims that name one. */
const SHARED_ISSUERS: readonly (readonly [issuer: RegExp, claims: readonly string[]])[] = [
  [
    /^https:\/\/token\.actions\.githubusercontent\.com(?:\/|$)/,
    [
      "repository_owner_id",
      "repository_owner",
      "repository_id",
      "repository",
      "enterprise_id",
      "enterprise",
      "sub",
    ],
  ],
  [
    /^https:\/\/gitlab\.com(?:\/|$)/,
    ["namespace_id", "namespace_path", "project_id", "project_path", "groups_direct", "groups", "sub"],
  ],
  [/^(?:https:\/\/)?accounts\.google\.com(?:\/|$)/, ["hd", "email", "azp", "sub"]],
  [/^https:\/\/securetoken\.google\.com(?:\/|$)/, ["email", "tenant", "firebase", "sub"]],
  [
    // Tenants that any account belongs to. The last one is that of personal Microsoft accounts.
    /^https:\/\/(?:login\.microsoftonline\.com|sts\.windows\.net|login\.microsoftonline\.us)\/(?:common|organizations|consumers|9188040d-6c67-4c5b-b112-36a304b66dad|\{tenantid\})(?:\/|$)/i,
    ["tid", "oid", "groups", "sub"],
  ],
  [/^https:\/\/appleid\.apple\.com(?:\/|$)/, ["email", "sub"]],
  [/^https:\/\/(?:www|limited)\.facebook\.com(?:\/|$)/, ["email", "sub"]],
  [/^https:\/\/login\.salesforce\.com(?:\/|$)/, ["organization_id", "sub"]],
  [/^https:\/\/slack\.com(?:\/|$)/, ["https://slack.com/team_id", "https://slack.com/enterprise_id", "sub"]],
  [/^https:\/\/www\.linkedin\.com(?:\/|$)/, ["email", "sub"]],
  [/^https:\/\/id\.twitch\.tv(?:\/|$)/, ["sub"]],
  [/^https:\/\/oauth2\.sigstore\.dev(?:\/|$)/, ["email", "sub"]],
  [/^https:\/\/agent\.buildkite\.com(?:\/|$)/, ["organization_id", "organization_slug", "sub"]],
  [
    /^https:\/\/app\.terraform\.io(?:\/|$)/,
    ["terraform_organization_id", "terraform_organization_name", "sub"],
  ],
  // Only the issuer of all teams: a team's own issuer ends with its name.
  [/^https:\/\/oidc\.vercel\.com\/?$/, ["owner_id", "owner", "sub"]],
  [/^https:\/\/oidc\.fly\.io\/?$/, ["org_id", "org_name", "sub"]],
  [/^https:\/\/oidc\.codefresh\.io(?:\/|$)/, ["account_id", "account_name", "sub"]],
  [/^https:\/\/api\.pulumi\.com(?:\/|$)/, ["organization", "sub"]],
  [/^https:\/\/scalr\.io(?:\/|$)/, ["scalr_account_id", "scalr_account_name", "sub"]],
];

/** Reads `require`; null if it is absent. Reports every issue, also that a shared issuer lacks it. */
export function readRequiredClaims(table: Table | null, issuer: string, report: ReportIssue): RequiredClaims {
  const required = new Map<string, readonly ClaimValue[]>();
  for (const [claim, value] of Object.entries(table ?? {})) {
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (values.length === 0 || !values.every(isClaimValue))
      report(
        `require.${claim}`,
        "must be a text, a number, true or false, or a list of at least one of them",
      );
    else required.set(claim, values);
  }
  const naming = SHARED_ISSUERS.find(([shared]) => shared.test(issuer))?.[1];
  if (naming !== undefined && !naming.some((claim) => required.has(claim))) {
    const claims = naming.map((claim) => `"${claim}"`).join(", ");
    report(
      "require",
      `is required for an issuer that many organizations share: at least one of the claims ${claims}, with your own values`,
    );
  }
  return required;
}

const isClaimValue = (value: unknown): value is ClaimValue =>
  typeof value === "boolean" || typeof value === "number" || textIssue(value) === null;

/** The name of the first claim that does not have one of its values; null if all have. */
export function missingClaim(claims: Claims, required: RequiredClaims): string | null {
  for (const [name, values] of required) if (!hasClaim(claims, name, values)) return name;
  return null;
}
