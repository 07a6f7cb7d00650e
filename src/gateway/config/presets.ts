/** The settings of services that speak a known dialect, so that a provider needs only a name and a key. */
import { oneOfIssue, type Fields } from "../../shared/config/fields.ts";
import type { KeyHeader } from "../provider/provider.ts";

export type Preset = {
  /** The type of the dialect. */
  readonly type: string;
  /** The service's address; a name in braces is a setting of the provider. */
  readonly baseUrl: string;
  /** null: the dialect's. */
  readonly keyHeader: KeyHeader | null;
  /** The service's name in AWS's signatures; absent where it accepts none. */
  readonly awsService?: string;
  /** A setting, and the header that has its value beside a central key. */
  readonly account?: readonly [setting: string, header: string];
  /** The address is one of Cloudflare AI Gateway. */
  readonly isAiGateway?: true;
};

const compatible = (baseUrl: string): Preset => ({ type: "openai", baseUrl, keyHeader: null });

const claude = (baseUrl: string): Preset => ({ type: "anthropic", baseUrl, keyHeader: null });

/** https://developers.cloudflare.com/ai-gateway/usage/providers/ */
const aiGateway = (type: string, path: string): Preset => ({
  type,
  baseUrl: `https://gateway.ai.cloudflare.com/v1/{account_id}/{gateway_id}/${path}`,
  keyHeader: null,
  isAiGateway: true,
});

/** Of services that one runs oneself: the address at which they listen by default. */
const LOCAL = "http://localhost";

/** By its name in the setting `preset`. */
export const PRESETS: Readonly<Record<string, Preset>> = {
  openai: compatible("https://api.openai.com/v1"),
  anthropic: claude("https://api.anthropic.com"),
  // https://learn.microsoft.com/azure/foundry/foundry-models/how-to/use-foundry-models-claude
  "claude-foundry": claude("https://{resource}.services.ai.azure.com/anthropic"),
  // https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html
  "bedrock-mantle": {
    ...claude("https://bedrock-mantle.{region}.api.aws/anthropic"),
    keyHeader: "authorization",
    awsService: "bedrock-mantle",
  },
  // https://platform.claude.com/docs/en/build-with-claude/claude-platform-on-aws
  "claude-aws": {
    ...claude("https://aws-external-anthropic.{region}.api.aws"),
    // As Anthropic's SDK for it sends one.
    keyHeader: "authorization",
    awsService: "aws-external-anthropic",
    account: ["workspace_id", "anthropic-workspace-id"],
  },
  // https://learn.microsoft.com/azure/foundry/openai/latest
  azure: { type: "azure", baseUrl: "https://{resource}.openai.azure.com/openai", keyHeader: null },
  // https://openrouter.ai/docs/api/reference/overview
  openrouter: compatible("https://openrouter.ai/api/v1"),
  // https://console.groq.com/docs/openai
  groq: compatible("https://api.groq.com/openai/v1"),
  // https://docs.mistral.ai/api/
  mistral: compatible("https://api.mistral.ai/v1"),
  // https://api-docs.deepseek.com
  deepseek: compatible("https://api.deepseek.com/v1"),
  // https://docs.x.ai/docs/api-reference
  xai: compatible("https://api.x.ai/v1"),
  // https://docs.together.ai/docs/openai-api-compatibility
  together: compatible("https://api.together.xyz/v1"),
  // https://docs.fireworks.ai/tools-sdks/openai-compatibility
  fireworks: compatible("https://api.fireworks.ai/inference/v1"),
  // https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
  vllm: compatible(`${LOCAL}:8000/v1`),
  // https://docs.ollama.com/api/openai-compatibility
  ollama: compatible(`${LOCAL}:11434/v1`),
  // https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/
  "workers-ai": compatible("https://api.cloudflare.com/client/v4/accounts/{account_id}/ai/v1"),
  "ai-gateway-openai": aiGateway("openai", "openai"),
  "ai-gateway-anthropic": aiGateway("anthropic", "anthropic"),
  // https://developers.cloudflare.com/ai-gateway/usage/chat-completion/: its models are named "<provider>/<model>".
  "ai-gateway-compat": aiGateway("openai", "compat"),
};

const NAMES = Object.keys(PRESETS);

/**
 * The preset that `preset` names, or, for a provider without `preset` and `type`, the one of the provider's own name. null
 * where there is none.
 */
export function readPreset(name: string, fields: Fields): Preset | null {
  const named = fields.text("preset");
  if (named === null) return fields.has("type") ? null : (presetOf(name) ?? null);
  const preset = presetOf(named);
  if (!preset) fields.reject("preset", oneOfIssue(NAMES));
  if (fields.has("type")) fields.reject("type", "must not be set beside preset, which has a type");
  return preset ?? null;
}

const presetOf = (name: string): Preset | undefined =>
  Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined;

const SETTING = /\{(\w+)\}/g;
/** A label of a host name, or an id: nothing that could end the host or the segment in the address. */
const VALUE = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$/;

/** An id that is sent in a header. */
const ID = /^[\w-]{1,128}$/;

/** The headers that name the account of the provider's central keys. */
export function readAccountHeaders(
  { account }: Pick<Preset, "account">,
  fields: Fields,
): readonly (readonly [name: string, value: string])[] {
  const value = account ? fields.text(account[0]) : null;
  if (!account || value === null) return [];
  if (!ID.test(value)) fields.reject(account[0], `must match ${ID.source}`);
  return [[account[1], value]];
}

/** The preset's address with the provider's settings; null after reporting one that is missing. */
export function presetUrl({ baseUrl }: Preset, fields: Fields): string | null {
  let isComplete = true;
  const url = baseUrl.replace(SETTING, (_, setting: string) => {
    const value = fields.required(setting) ?? "";
    if (VALUE.test(value)) return value;
    fields.reject(setting, `must match ${VALUE.source}`);
    isComplete = false;
    return "";
  });
  return isComplete ? url : null;
}
