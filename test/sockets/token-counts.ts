import type { TokenUsage } from "../../src/events/event.ts";

/** The token counts of an event. */
export type TokenCounts = Pick<
  TokenUsage,
  "input_tokens" | "output_tokens" | "cache_read_input_tokens" | "cache_write_input_tokens"
>;
