/**
 * The most tokens that a model takes and produces in one call: what is reserved where a request names no limit. By hand, from the
 * vendors' pages of models (2026-09); a model that is not listed has the default of its family, and any other the last row.
 * https://platform.openai.com/docs/models, https://platform.claude.com/docs/en/about-claude/models/overview,
 * https://ai.google.dev/gemini-api/docs/models
 */

export type ModelLimits = {
  readonly context: number;
  readonly output: number;
  /** Whether the model, or its family, is listed. */
  readonly isKnown: boolean;
};

const K = 1000;
const M = 1_000_000;

/** The beginning of a model's name, without the vendor's prefix; the first one that matches counts. */
export const MODEL_LIMITS: readonly (readonly [begins: string, context: number, output: number])[] = [
  ["gpt-5-chat", 128 * K, 16_384],
  ["gpt-5.1-chat", 128 * K, 16_384],
  ["gpt-5.2-chat", 128 * K, 16_384],
  ["gpt-5-pro", 400 * K, 272 * K],
  ["gpt-5.1", 400 * K, 128 * K],
  ["gpt-5.2", 400 * K, 128 * K],
  ["gpt-5.3", 400 * K, 128 * K],
  ["gpt-5-", 400 * K, 128 * K],
  ["gpt-4.1", 1_047_576, 32_768],
  ["gpt-4o", 128 * K, 16_384],
  ["gpt-4-turbo", 128 * K, 4096],
  ["gpt-4-", 128 * K, 8192],
  ["gpt-3.5", 16_385, 4096],
  ["gpt-oss", 131_072, 131_072],
  ["gpt-", 1_050_000, 128 * K],
  ["o1", 200 * K, 100 * K],
  ["o3", 200 * K, 100 * K],
  ["o4", 200 * K, 100 * K],
  ["text-embedding", 8192 * 2048, 0],
  ["claude-3-haiku", 200 * K, 4096],
  ["claude-3-opus", 200 * K, 4096],
  ["claude-3-sonnet", 200 * K, 4096],
  ["claude-3-5", 200 * K, 8192],
  ["claude-3-7", 200 * K, 128 * K],
  ["claude-opus-4-2", 200 * K, 32 * K],
  ["claude-opus-4-0", 200 * K, 32 * K],
  ["claude-opus-4-1", 200 * K, 32 * K],
  ["claude-opus-4-5", 200 * K, 64 * K],
  ["claude-sonnet-4-5", M, 64 * K],
  ["claude-sonnet-4-2", M, 64 * K],
  ["claude-sonnet-4-0", M, 64 * K],
  ["claude-haiku", 200 * K, 64 * K],
  ["claude-", M, 128 * K],
  ["gemini-1.5", 2_097_152, 8192],
  ["gemini-2.0", 1_048_576, 8192],
  ["gemini-", 1_048_576, 65_536],
  ["", M, 128 * K],
];

/** `model`: as a request names it; null where none is named. Never fails: an unknown model has the last row. */
export function limitsOf(model: string | null): ModelLimits {
  const name = (model ?? "").toLowerCase();
  const bare = name.slice(name.lastIndexOf("/") + 1).replace(/^(?:[\w-]+\.)?anthropic\./, "");
  const found = MODEL_LIMITS.find(([begins]) => bare.startsWith(begins));
  const [begins, context, output] = found ?? ["", M, 128 * K];
  return { context, output, isKnown: begins !== "" };
}
