/** Reads the JSON in the body of an API call. */
import { parseJson } from "../../shared/json.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { Exchange } from "./exchange.ts";
import { readBody } from "./read-body.ts";
import { rejectEncodedBody } from "./request-body.ts";

/** Refuses `body_encoded`, `body_invalid`, and what `readBody` refuses. */
export async function readJson(
  { request, deps, holding }: Exchange,
  maxBytes: number,
): Promise<{ readonly value: unknown } | Refusal> {
  const options = { ...deps.bodies, maxBytes, holding };
  const bytes = rejectEncodedBody(request.headers) ?? (await readBody(request, options));
  if (bytes instanceof Refusal) return bytes;
  const text = decode(bytes);
  const value = text === null ? undefined : parseJson(text);
  return value === undefined ? new Refusal("body_invalid", { detail: "not JSON in UTF-8" }) : { value };
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return null;
  }
}
