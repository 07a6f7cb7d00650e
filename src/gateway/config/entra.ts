/** A provider's setting `entra`: the application of Microsoft Entra ID by which the gateway is authorized there. */
import type { Fields } from "../../shared/config/fields.ts";
import type { EntraKey } from "../provider/provider.ts";

/** An id, or a domain of the tenant. */
const TENANT = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,126}[A-Za-z0-9])?$/;
const CLIENT = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;
/** One scope (RFC 6749 §3.3). Client credentials get all permissions of a resource: `<resource>/.default`. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/;

const DEFAULT_SCOPE = "https://ai.azure.com/.default";
const DEFAULT_AUTHORITY = "https://login.microsoftonline.com";

/** `secret`: reads the secret of that name. null after reporting an issue. */
export function readEntra(fields: Fields, secret: (name: string) => string | null): EntraKey | null {
  const tenantId = matching(fields, "tenant_id", TENANT);
  const clientId = matching(fields, "client_id", CLIENT);
  const clientSecret = fields.secret("client_secret", secret);
  const scope = fields.text("scope") === null ? DEFAULT_SCOPE : matching(fields, "scope", SCOPE);
  const authority = fields.text("authority") === null ? DEFAULT_AUTHORITY : fields.url("authority");
  fields.rejectUnknown();
  const isComplete = tenantId !== null && clientId !== null && scope !== null;
  if (!isComplete || clientSecret === null || authority === null) return null;
  return { kind: "entra", tenantId, clientId, clientSecret, scope, authority };
}

function matching(fields: Fields, key: string, pattern: RegExp): string | null {
  const value = fields.required(key);
  if (value === null || pattern.test(value)) return value;
  fields.reject(key, `must match ${pattern.source}`);
  return null;
}
