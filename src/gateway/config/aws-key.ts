/** A provider's `aws`: the access key by which the gateway signs its requests. */
import type { Fields } from "../../shared/config/fields.ts";
import type { AwsKey } from "../provider/provider.ts";
import type { Preset } from "./presets.ts";

/** The form of AWS's names of regions and services: they are parts of the signature's scope, which `/` separates. */
const SCOPE_NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** `key`: reads the secret of that name. @returns null without the setting, or after reporting an issue. */
export function readAwsKey(
  parent: Fields,
  preset: Preset | null,
  key: (secretName: string) => string | null,
): AwsKey | null {
  const fields = parent.nested("aws");
  if (fields === null) return null;
  if (parent.has("keys")) parent.reject("aws", "must not be set beside keys");
  const accessKeyId = fields.secret("access_key_id", key);
  const secretAccessKey = fields.secret("secret_access_key", key);
  const sessionToken = fields.text("session_token") === null ? null : fields.secret("session_token", key);
  const region = readScopeName(fields, "region", parent.text("region"));
  const service = readScopeName(fields, "service", preset?.awsService ?? null);
  fields.rejectUnknown();
  if (accessKeyId === null || secretAccessKey === null) return null;
  return { kind: "aws", accessKeyId, secretAccessKey, sessionToken, region, service };
}

function readScopeName(fields: Fields, key: string, otherwise: string | null): string {
  const name = fields.text(key) ?? otherwise ?? fields.required(key) ?? "";
  if (!SCOPE_NAME.test(name)) fields.reject(key, `must match ${SCOPE_NAME.source}`);
  return name;
}
