/**
 * The description of a request, read out of a JSON body. Its headers hold secrets: an error names the field at fault and
 * quotes nothing.
 */
import { EXPLAIN_METHOD, EXPLAIN_SHA256, MAX_EXPLAIN_HEADERS } from "../../../events/explanation.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";
import { Refusal } from "../../../shared/refusal.ts";
import type { Exchange } from "../exchange.ts";
import { readJson } from "../read-json.ts";

export type ExplainInput = {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Headers;
  /** 64 hex digits; null where it was not given. */
  readonly bodySha256: string | null;
  /** For budgets; null where no model was given. */
  readonly usage: {
    readonly model: string;
    readonly bytes: number;
    /** null: the model's greatest. */
    readonly outputLimit: number | null;
  } | null;
};

/** Twice the size that any request's headers may have. */
const MAX_BYTES = 256 * 1024;

/** Refuses `field_invalid`, and what `readJson` refuses. */
export async function readExplainInput(exchange: Exchange): Promise<ExplainInput | Refusal> {
  const body = await readJson(exchange, MAX_BYTES);
  return body instanceof Refusal ? body : toInput(body.value);
}

const FIELDS: ReadonlySet<string> = new Set([
  "method",
  "path",
  "headers",
  "body_sha256",
  "model",
  "body_bytes",
  "output_limit",
]);

const invalid = (field: string, problem: string): Refusal =>
  new Refusal("field_invalid", { detail: `${field} ${problem}`, param: field });

function toInput(value: unknown): ExplainInput | Refusal {
  const fields = asObject(value);
  if (!fields) return invalid("body", "must be an object");
  if (Object.keys(fields).some((name) => !FIELDS.has(name))) return invalid("body", "has an unknown field");
  const { method = "POST", path, headers: list, body_sha256: bodySha256 = null } = fields;
  if (typeof method !== "string" || !new RegExp(EXPLAIN_METHOD).test(method))
    return invalid("method", "must be a method");
  if (typeof path !== "string" || !path.startsWith("/")) return invalid("path", "must be a path");
  const isSha256 = typeof bodySha256 === "string" && new RegExp(EXPLAIN_SHA256).test(bodySha256);
  if (bodySha256 !== null && !isSha256) return invalid("body_sha256", "must be a SHA-256");
  const usage = readUsage(fields);
  if (usage instanceof Refusal) return usage;
  const headers = readHeaders(list);
  return headers instanceof Refusal
    ? headers
    : { method, path, headers, bodySha256: bodySha256 as string | null, usage };
}

function readUsage(fields: JsonObject): ExplainInput["usage"] | Refusal {
  const { model = null, body_bytes: bytes = 0, output_limit: outputLimit = null } = fields;
  const isName = typeof model === "string" && model !== "" && model.length <= 256;
  if (model !== null && !isName) return invalid("model", "must be 1 to 256 characters");
  if (!isCount(bytes)) return invalid("body_bytes", "must be a whole number that is not negative");
  if (outputLimit !== null && !isCount(outputLimit))
    return invalid("output_limit", "must be a whole number that is not negative");
  return model === null ? null : { model, bytes, outputLimit };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function readHeaders(list: unknown): Headers | Refusal {
  const object = asObject(list);
  const pairs = Array.isArray(list) ? list.map(readPair) : object ? pairsOf(object) : [null];
  if (pairs.length > MAX_EXPLAIN_HEADERS) return invalid("headers", "must not be so many");
  const headers = new Headers();
  for (const pair of pairs) {
    if (pair === null) return invalid("headers", "must be names and values");
    try {
      headers.append(...pair);
    } catch {
      // The error would quote the header.
      return invalid("headers", "have a name or a value that HTTP cannot carry");
    }
  }
  return headers;
}

type Pair = readonly [name: string, value: string];

function readPair(entry: unknown): Pair | null {
  if (!Array.isArray(entry) || entry.length !== 2) return null;
  const [name, value] = entry as readonly unknown[];
  // The platform would accept a header without a name.
  return typeof name === "string" && name !== "" && typeof value === "string" ? [name, value] : null;
}

function pairsOf(object: JsonObject): readonly (Pair | null)[] {
  return Object.entries(object).flatMap(([name, value]) =>
    Array.isArray(value) ? value.map((one: unknown) => readPair([name, one])) : [readPair([name, value])],
  );
}
