/**
 * Target `bodies`: request bodies through `readModelCall` and `usageOptionEdit`. Checks:
 *
 * - Nothing throws.
 * - A refusal's reason is visible in the text of the body.
 * - A changed body parses to the same value plus the usage option.
 * - Outside the inserted bytes, the body is unchanged.
 */
import { isDeepStrictEqual } from "node:util";
import { applyEdits } from "../../src/gateway/provider/body-edit.ts";
import { usageOptionEdit } from "../../src/gateway/provider/inject-usage.ts";
import { JsonSource } from "../../src/gateway/provider/json-source.ts";
import { readModelCall } from "../../src/gateway/provider/model-call.ts";
import { Refusal } from "../../src/shared/refusal.ts";
import { checkUnchanged, showBytes } from "../body-bytes.ts";
import { shorterBytes } from "../shrink.ts";
import type { Target, Verdict } from "../target.ts";
import { randomBody, type BodyCase } from "./random-body.ts";

export const bodies: Target<BodyCase> = {
  name: "bodies",
  generate: randomBody,
  check: async (one) => checkUnchanged(one.bytes, () => checkBody(one)),
  smaller: function* ({ bytes }) {
    for (const fewer of shorterBytes(bytes)) yield { bytes: fewer, expected: null };
  },
  show: ({ bytes }) => showBytes(bytes),
};

type JsonObject = Readonly<Record<string, unknown>>;

/** The body's value if it is a JSON object in strict UTF-8; else null. */
function parseObject(bytes: Uint8Array): JsonObject | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : null;
  } catch {
    return null;
  }
}

function checkBody({ bytes, expected }: BodyCase): Verdict {
  const call = readModelCall(new JsonSource(bytes));
  const value = parseObject(bytes);
  if (call instanceof Refusal) {
    const isUnjustified =
      call.code === "body_invalid" ? value !== null && !nestsOver(value, 255) : expected === "accepted";
    return { failure: isUnjustified ? `refused as ${call.code}` : null, category: call.code };
  }
  const edit = usageOptionEdit(call);
  const injected = edit && new Uint8Array(Buffer.concat(applyEdits(bytes, [edit])));
  if (value === null) return { failure: "accepted, but it is not a JSON object", category: "accepted" };
  if (expected === "refused") return { failure: "accepted, but must be refused", category: "accepted" };
  const needsOption = mustRequestUsage(value);
  if (injected === null)
    return { failure: needsOption ? "the usage option is missing" : null, category: "unchanged" };
  if (!needsOption)
    return { failure: "the usage option was injected without need", category: "usage injected" };
  return { failure: findInjectionFailure(bytes, value, injected), category: "usage injected" };
}

function mustRequestUsage({ stream, stream_options: options }: JsonObject): boolean {
  if (stream !== true) return false;
  if (options === undefined || options === null) return true;
  return (options as JsonObject)["include_usage"] !== true;
}

function findInjectionFailure(bytes: Uint8Array, value: JsonObject, injected: Uint8Array): string | null {
  const after = parseObject(injected);
  const shown = JSON.stringify(Buffer.from(injected).toString("latin1").slice(0, 2000));
  const options = (value["stream_options"] ?? {}) as JsonObject;
  const expected = { ...value, stream_options: { ...options, include_usage: true } };
  if (!isDeepStrictEqual(after, expected)) return `the value differs in more than the option: ${shown}`;
  // Exactly one place may change. The bytes replaced there are `null`, `false`, a part of these, or nothing.
  let from = 0;
  while (from < bytes.length && bytes[from] === injected[from]) from += 1;
  let tail = 0;
  const most = Math.min(bytes.length, injected.length) - from;
  while (tail < most && bytes.at(-1 - tail) === injected.at(-1 - tail)) tail += 1;
  const replaced = Buffer.from(bytes.subarray(from, bytes.length - tail)).toString("latin1");
  const longest = '"stream_options":{"include_usage":true},'.length;
  if (!/^(?:[nul]*|[fals]*)$/.test(replaced) || injected.length - bytes.length > longest)
    return `other bytes were changed (${JSON.stringify(replaced)} was replaced): ${shown}`;
  return null;
}

function nestsOver(value: unknown, most: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= most; depth += 1) {
    level = level.flatMap((one) => (typeof one === "object" && one !== null ? Object.values(one) : []));
    level = level.filter((one) => typeof one === "object" && one !== null);
    if (level.length === 0) return false;
  }
  return true;
}
