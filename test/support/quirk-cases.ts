/**
 * The record that each quirk of the emulated provider must give. In workerd the body is read at every split; over sockets the
 * emulator plays it. Fields that are not named must have the value of `PLAIN`.
 */
import type { QUIRKS } from "../../tools/emulator/quirks.ts";

export type Recorded = {
  readonly outcome: string;
  readonly usage: string;
  readonly input_tokens: number | null;
  readonly output_tokens: number | null;
  readonly cache_read_input_tokens: number | null;
  readonly cache_write_input_tokens: number | null;
  readonly error: string | null;
  readonly response_model: string | null;
  readonly tool_call_count: number;
  readonly service_tier: string | null;
  readonly speed: string | null;
  readonly inference_geo: string | null;
  readonly reported_cost: string | null;
};

/** A chat completion with its usage. */
const PLAIN: Recorded = {
  outcome: "completed",
  usage: "final",
  input_tokens: 20,
  output_tokens: 5,
  cache_read_input_tokens: null,
  cache_write_input_tokens: null,
  error: null,
  response_model: "quirk",
  tool_call_count: 0,
  service_tier: null,
  speed: null,
  inference_geo: null,
  reported_cost: null,
};
const UNKNOWN = { usage: "unknown", input_tokens: null, output_tokens: null } as const;
const chat = (changes: Partial<Recorded>): Recorded => ({ ...PLAIN, ...changes });
const figures = (
  input: number,
  output: number,
  read: number | null = null,
  write: number | null = null,
): Partial<Recorded> => ({
  input_tokens: input,
  output_tokens: output,
  cache_read_input_tokens: read,
  cache_write_input_tokens: write,
});
const failed = (error: string, model: string | null = null): Recorded =>
  chat({ ...UNKNOWN, outcome: "upstream_error", error, response_model: model });
const codex = chat({ ...figures(154_000, 303), response_model: "gpt-5.1-codex", tool_call_count: 1 });
const messages = (changes: Partial<Recorded> = {}): Recorded =>
  chat({ ...figures(30, 7), response_model: "claude-quirk", ...changes });

export const QUIRK_CASES: Readonly<Record<keyof typeof QUIRKS, Recorded>> = {
  "quirk-no-content-type": codex,
  "quirk-text-plain": codex,
  "quirk-labelled-json": codex,
  "quirk-chat-octet-stream": PLAIN,
  "quirk-messages-text-plain": messages(),
  "quirk-ndjson": PLAIN,
  "quirk-only-named": messages(),
  "quirk-responses-only-named": PLAIN,
  "quirk-responses-done": PLAIN,
  "quirk-usage-in-x-groq": PLAIN,
  "quirk-usage-early": chat({ ...figures(20, 0), usage: "partial" }),
  "quirk-usage-at-start": messages({ ...figures(30, 1), usage: "partial" }),
  "quirk-usage-in-stop": messages(),
  "quirk-usage-in-delta": messages(),
  "quirk-responses-zeros": chat({ ...figures(0, 0), usage: "partial" }),
  "quirk-num-cached": chat(figures(12, 5, 8)),
  "quirk-cache-creation": chat(figures(8, 5, 4, 8)),
  "quirk-camel-case": PLAIN,
  "quirk-cache-write": chat(figures(0, 10, 12_000, 3000)),
  "quirk-cache-hit-miss": chat(figures(180, 10, 1024)),
  "quirk-cached-over-prompt": chat({ ...figures(136, 10, 3200), usage: "partial" }),
  "quirk-reasoning-beside": chat(figures(100, 4308)),
  "quirk-thoughts-in-total": chat({ ...figures(20, 603), usage: "partial" }),
  "quirk-usage-in-choice": PLAIN,
  "quirk-cost": chat({ reported_cost: "0.000123" }),
  "quirk-compaction": messages(figures(203_000, 4500)),
  "quirk-fallback-model": messages({ response_model: "claude-second" }),
  "quirk-figures-fall": messages(),
  "quirk-fast": messages({ service_tier: "priority", speed: "fast", inference_geo: "us" }),
  "quirk-rejects-usage-option": PLAIN,
  "quirk-timings": PLAIN,
  "quirk-error-object": failed("BadRequestError", "quirk"),
  "quirk-finish-error": failed("error", "quirk"),
  "quirk-choice-error": failed("server_error", "quirk"),
  "quirk-untyped-error": messages({
    outcome: "upstream_error",
    usage: "partial",
    error: "error",
  }),
  "quirk-error-list": failed("RESOURCE_EXHAUSTED"),
  "quirk-error-numeric": failed("invalid_request_error"),
  "quirk-error-none": failed("rate_limit_error"),
  "quirk-error-top-level": failed("invalid_request_prompt"),
  "quirk-error-detail": failed("authentication_error"),
  "quirk-error-nested": failed("overloaded_error"),
  "quirk-error-in-message": failed("overloaded_error"),
  "quirk-aws-throttling": failed("ThrottlingException"),
  "quirk-aws-validation": failed("ValidationException"),
  "quirk-foundry-rate-limit": failed("rate_limit_error"),
  "quirk-foundry-no-deployment": failed("DeploymentNotFound"),
  "quirk-foundry-gateway": failed("authentication_error"),
  "quirk-error-problem": failed("rate_limit_error"),
  "quirk-error-unsuccessful": failed("error"),
  "quirk-error-null-data": failed("authentication_error"),
  "quirk-error-base-resp": failed("error"),
  "quirk-error-base-resp-later": failed("error", "quirk"),
  "quirk-error-without-choices": failed("Arrearage", "quirk"),
  "quirk-error-type-beside": failed("generation", "quirk"),
  "quirk-error-event-list": failed("UNAVAILABLE", "quirk"),
  "quirk-error-line": failed("server_error", "quirk"),
  "quirk-error-field": failed("server_error", "quirk"),
  "quirk-finish-network-error": failed("network_error", "quirk"),
  "quirk-progress": PLAIN,
  "quirk-no-done": PLAIN,
  "quirk-azure-stream": PLAIN,
  "quirk-azure-filtered-output": PLAIN,
  "quirk-azure-filtered-prompt": failed("content_filter"),
  "quirk-azure-wrong-key": failed("authentication_error"),
  "quirk-azure-wrong-key-apim": failed("authentication_error"),
  "quirk-azure-rate-limit": failed("rate_limit_error"),
  "quirk-azure-no-deployment": failed("DeploymentNotFound"),
  "quirk-azure-responses": PLAIN,
  "quirk-blank-lines": PLAIN,
  "quirk-finish-no-resource": chat({ outcome: "upstream_error", error: "insufficient_system_resource" }),
  "quirk-stopped-in-x-groq": failed("over_capacity", "quirk"),
  "quirk-continuous-usage": PLAIN,
  "quirk-perf-metrics": PLAIN,
  "quirk-seed": PLAIN,
  "quirk-cost-ticks": chat({ reported_cost: "0.0037756" }),
  "quirk-error-code-text": failed("invalid_request_error"),
  "quirk-error-midway": failed("server_error", "quirk"),
  "quirk-error-metadata": failed("rate_limit_error"),
  "quirk-error-internal-code": failed("rate_limit_error"),
  "quirk-error-null-fields": failed("not_found_error"),
  "quirk-done-blank": PLAIN,
};
