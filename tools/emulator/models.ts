/** `GET /v1/models` and `GET /v1/models/{id}` in both shapes. The faults are listed too, so that a picker offers them. */
import type Anthropic from "@anthropic-ai/sdk";
import type OpenAI from "openai";
import { anthropicError, openAiError } from "./errors.ts";
import { FAULTS } from "./faults.ts";
import { json, type Dialect, type JsonReply } from "./reply.ts";

const CREATED = Date.UTC(2026, 0, 1);

const NAMES: Readonly<Record<Dialect, readonly string[]>> = {
  openai: ["gpt-5.1", "gpt-5.1-mini", "text-embedding-3-small", ...Object.keys(FAULTS)],
  anthropic: ["claude-opus-4-8", "claude-sonnet-5", "claude-haiku-4-5", ...Object.keys(FAULTS)],
};

export function listModels(dialect: Dialect): JsonReply {
  const names = NAMES[dialect];
  if (dialect === "openai") return json({ object: "list", data: names.map(openAiModel) });
  const data = names.map(anthropicModel);
  return json({ data, has_more: false, first_id: data.at(0)?.id ?? null, last_id: data.at(-1)?.id ?? null });
}

export function oneModel(dialect: Dialect, name: string): JsonReply {
  const known = NAMES[dialect].includes(name);
  if (dialect === "anthropic")
    return known ? json(anthropicModel(name)) : anthropicError(404, `model: ${name}`);
  if (known) return json(openAiModel(name));
  return openAiError(404, `The model '${name}' does not exist`, { param: "model", code: "model_not_found" });
}

function openAiModel(id: string): OpenAI.Model {
  return { id, object: "model", created: CREATED / 1000, owned_by: "emulated" };
}

function anthropicModel(id: string): Anthropic.ModelInfo {
  return {
    type: "model",
    id,
    display_name: `${id} (emulated)`,
    created_at: new Date(CREATED).toISOString(),
    capabilities: null,
    deprecated_at: null,
    lifecycle: "active",
    line: null,
    max_input_tokens: 200_000,
    max_tokens: 64_000,
    retires_at: null,
  };
}
