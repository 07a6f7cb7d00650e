/**
 * Reads the description of a request out of a body. Its headers hold secrets: nothing of what was sent is told, only the
 * name of the field at fault.
 */
import { Refusal } from "../../shared/refusal.ts";
import type { ExplainInput } from "./contract.ts";
import { invalidField } from "./kit/body.ts";
import type { Body } from "./kit/endpoint.ts";
import * as schema from "../../shared/json-schema.ts";

const METHOD = "^[A-Z]{1,16}$";
const SHA256 = "^[0-9a-f]{64}$";
const MAX_HEADERS = 512;

const VALUES = { oneOf: [schema.TEXT, schema.list(schema.TEXT)] };
const PAIR = { type: "array", items: schema.TEXT, minItems: 2, maxItems: 2 };

export const EXPLAIN_INPUT: Body = {
  schema: schema.object(
    {
      method: { ...schema.TEXT, pattern: METHOD, default: "POST" },
      path: schema.withDescription(
        { ...schema.TEXT, pattern: "^/" },
        "As it would be sent: with its query, escaped.",
      ),
      headers: {
        description:
          "Name to value, or a list of names and values; what is there several times counts as it would when sent.",
        oneOf: [{ type: "object", additionalProperties: VALUES }, schema.list(PAIR)],
      },
      body_sha256: schema.withDescription(
        { ...schema.TEXT, pattern: SHA256 },
        "Of the body that would be sent: only a signature needs it.",
      ),
    },
    ["method", "body_sha256"],
  ),
  rules: {
    body: "an object of path, headers, method and body_sha256, and nothing else",
    method: "a method in upper case",
    path: "a path that begins with /",
    headers: `an object or a list of [name, value], of at most ${MAX_HEADERS} headers that HTTP can carry`,
    body_sha256: "64 lower-case hex digits",
  },
};

const FIELDS: ReadonlySet<string> = new Set(["method", "path", "headers", "body_sha256"]);

/** Refuses `field_invalid`. */
export function readExplainInput(sent: unknown): ExplainInput | Refusal {
  if (!isObject(sent)) return invalidField("body", "is no object");
  if (Object.keys(sent).some((name) => !FIELDS.has(name)))
    return invalidField("body", "has an unknown field");
  const { method = "POST", path, headers: listed, body_sha256: bodySha256 = null } = sent;
  if (typeof method !== "string" || !new RegExp(METHOD).test(method))
    return invalidField("method", "is no method");
  if (typeof path !== "string" || !path.startsWith("/")) return invalidField("path", "is no path");
  if (bodySha256 !== null && (typeof bodySha256 !== "string" || !new RegExp(SHA256).test(bodySha256)))
    return invalidField("body_sha256", "is no SHA-256");
  const headers = readHeaders(listed);
  return headers instanceof Refusal ? headers : { method, path, headers, bodySha256 };
}

function readHeaders(listed: unknown): Headers | Refusal {
  const pairs = Array.isArray(listed) ? listed.map(readPair) : isObject(listed) ? ofObject(listed) : [null];
  if (pairs.length > MAX_HEADERS) return invalidField("headers", "are too many");
  const headers = new Headers();
  for (const pair of pairs) {
    if (pair === null) return invalidField("headers", "are none");
    try {
      headers.append(...pair);
    } catch {
      // The error would quote what was sent.
      return invalidField("headers", "have a name or a value that HTTP cannot carry");
    }
  }
  return headers;
}

type Pair = readonly [name: string, value: string];

function readPair(sent: unknown): Pair | null {
  if (!Array.isArray(sent) || sent.length !== 2) return null;
  const [name, value] = sent as readonly unknown[];
  // The platform would take a header without a name.
  return typeof name === "string" && name !== "" && typeof value === "string" ? [name, value] : null;
}

function ofObject(sent: Readonly<Record<string, unknown>>): readonly (Pair | null)[] {
  return Object.entries(sent).flatMap(([name, value]) =>
    Array.isArray(value) ? value.map((one: unknown) => readPair([name, one])) : [readPair([name, value])],
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
