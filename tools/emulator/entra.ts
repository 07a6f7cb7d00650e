/** The token endpoint of Microsoft Entra ID: any client and secret get a token, but for the secret `wrong-client-secret`. */
import { randomBytes } from "node:crypto";
import { json, type JsonReply } from "./reply.ts";

export const TOKEN_PATH = /^\/[\w.-]+\/oauth2\/v2\.0\/token$/;

const LIFETIME_S = 3599;

export function issueToken(form: string): JsonReply {
  const fields = new URLSearchParams(form);
  const missing = ["client_id", "client_secret", "scope"].find((name) => !fields.get(name));
  if (fields.get("grant_type") !== "client_credentials" || missing !== undefined)
    return failure(400, "invalid_request", 900144);
  if (fields.get("client_secret") === "wrong-client-secret") return failure(401, "invalid_client", 7000215);
  return json({
    token_type: "Bearer",
    expires_in: LIFETIME_S,
    ext_expires_in: LIFETIME_S,
    access_token: `emulated-entra-token.${randomBytes(48).toString("base64url")}`,
  });
}

const failure = (status: number, error: string, code: number): JsonReply =>
  json({ error, error_description: `AADSTS${code}: emulated.`, error_codes: [code] }, status);
