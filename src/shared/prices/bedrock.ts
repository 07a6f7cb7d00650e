/**
 * Claude at Amazon Bedrock. Its names are Anthropic's with a prefix, and some with a version:
 * `us.anthropic.claude-haiku-4-5-20251001-v1:0`. A global endpoint has Anthropic's prices since Claude 4.5, and an endpoint in
 * one region or geography costs a tenth more. https://platform.claude.com/docs/en/about-claude/pricing#cloud-platform-pricing
 */
import type { Terms } from "./tiers.ts";

/** The name of the price list. */
export const BEDROCK = "bedrock";

const NAME = /^(?:(?:[\w-]+\.)?anthropic\.)?(claude-.+?)(?:-v\d+(?::\d+)?)?$/;
/** Models before 4.5 have prices of their own. */
const EARLIER = /^claude-(?:[123v]|instant|(?:opus|sonnet)-4(?:$|-(?:0|1|2025)))/;

/** Anthropic's name of the model; null where it has none, or another price. */
export function bedrockModel(name: string): string | null {
  const model = NAME.exec(name.toLowerCase())?.[1];
  return model === undefined || EARLIER.test(model) ? null : model;
}

/** A region costs as much more as a place that a caller of Anthropic's API chooses. The name without a prefix is regional. */
export const bedrockTerms = (names: readonly string[], terms: Terms): Terms => ({
  ...terms,
  inferenceGeo: names.some((name) => name.toLowerCase().startsWith("global.")) ? "global" : "us",
});
