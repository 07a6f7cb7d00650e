/** `POST /v1/embeddings`: vectors derived from a hash of the text, without meaning. */
import type OpenAI from "openai";
import { createHash } from "node:crypto";
import { arrayAt, numberAt, stringAt, type JsonObject } from "./json.ts";
import { json, type JsonReply } from "./reply.ts";
import { countTokens } from "./tokens.ts";

const DEFAULT_DIMENSIONS = 8;

export function createEmbeddings(body: JsonObject, model: string): JsonReply {
  const single = stringAt(body, "input");
  const texts = single === undefined ? arrayAt(body, "input").map(textOf) : [single];
  const dimensions = numberAt(body, "dimensions") ?? DEFAULT_DIMENSIONS;
  // The SDK requests base64 by default, and decodes it.
  const base64 = body["encoding_format"] === "base64";
  const tokens = texts.reduce((sum, text) => sum + countTokens(text), 0);
  const data = texts.map((text, index) => {
    const vector = vectorOf(text, dimensions);
    const embedding = base64 ? Buffer.from(vector.buffer).toString("base64") : [...vector];
    return { object: "embedding" as const, index, embedding };
  });
  type Wire = Omit<OpenAI.CreateEmbeddingResponse, "data"> & { readonly data: typeof data };
  return json({
    object: "list",
    data,
    model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  } satisfies Wire);
}

/** An input may also be an array of token numbers. */
function textOf(input: unknown): string {
  return typeof input === "string" ? input : JSON.stringify(input);
}

function vectorOf(text: string, dimensions: number): Float32Array {
  const bytes = createHash("sha256").update(text).digest();
  const raw = Float32Array.from({ length: dimensions }, (_, i) => (bytes[i % bytes.length] ?? 0) - 127.5);
  const length = Math.hypot(...raw);
  return raw.map((value) => value / length);
}
