/** Secrets with two purposes: a party that holds one for the first purpose could use it for the second. */
import type { ReportIssue } from "../../shared/config/fields.ts";
import type { HttpSignatureKey } from "../initiator/http-signature/keys.ts";
import type { CentralKey, Provider } from "../provider/provider.ts";
import type { Config } from "./config.ts";

export function rejectSharedSecrets(
  { verifiers, delegation, recording, providers, eventMacKeys }: Omit<Config, "settings">,
  report: ReportIssue,
): void {
  const purposes: readonly (readonly [path: string, secrets: readonly (string | null | undefined)[]])[] = [
    ["OWNER_ASSERTION.signing_keys", verifiers.signingKeys],
    ["OWNER_ASSERTION.http_signature_keys", verifiers.httpKeys.flatMap(secretOf)],
    ["DELEGATION.keys", delegation?.keys ?? []],
    ["RECORDING.end_user_key", [recording.endUserKey]],
    ["OWNER_ASSERTION.directory.token", [verifiers.directory?.token]],
    ["EVENT_MAC_KEY", eventMacKeys],
    ["PROVIDERS", [...providers.values()].flatMap(secretsOf)],
  ];
  const seen = new Map<string, string>();
  for (const [path, secrets] of purposes) {
    for (const secret of secrets) {
      const earlier = secret ? (seen.get(secret) ?? path) : path;
      if (earlier !== path) report(path, `must not use a secret of ${earlier}`);
      if (secret) seen.set(secret, earlier);
    }
  }
}

function secretsOfKey(key: CentralKey): readonly (string | null)[] {
  switch (key.kind) {
    case "key":
      return [key.value];
    case "aws":
      return [key.accessKeyId, key.secretAccessKey, key.sessionToken];
    case "entra":
      return [key.clientSecret];
  }
}

/** One token of a Cloudflare account may authenticate to AI Gateway and to Workers AI behind it. */
const secretsOf = ({ keys, aiGateway }: Provider): readonly (string | null | undefined)[] => [
  ...keys.flatMap(secretsOfKey),
  aiGateway?.token,
];

/** A public key is no secret. */
const secretOf = ({ algorithm, bytes }: HttpSignatureKey): readonly string[] =>
  algorithm === "ed25519" ? [] : [new TextDecoder().decode(bytes)];
