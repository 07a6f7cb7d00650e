/**
 * Target `bodies`: request bodies through the reading of a call and the usage splice. Checked: nothing throws; what is
 * refused is refused for a reason that can be seen in the text; a spliced body parses to the same value plus the option;
 * taking the inserted bytes out again gives the body as it came.
 */
import { isDeepStrictEqual } from "node:util";
import { readModelCall } from "../../src/gateway/provider/model-call.ts";
import { injectUsageOption } from "../../src/gateway/provider/inject-usage.ts";
import { Refusal } from "../../src/shared/refusal.ts";
import { shorterText } from "../shrink.ts";
import type { Target, Verdict } from "../target.ts";
import { randomBody, type BodyCase, type Told } from "./random-body.ts";

export const bodies: Target<BodyCase> = {
  name: "bodies",
  generate: randomBody,
  check: ({ bytes, told }) => {
    const before = Buffer.from(bytes);
    const call = readModelCall(bytes);
    const spliced = call instanceof Refusal ? null : injectUsageOption(call, bytes);
    const verdict = judge(bytes, told, call, spliced);
    return before.equals(bytes) ? verdict : { ...verdict, wrong: "the body was changed" };
  },
  smaller: function* ({ bytes }) {
    const text = Buffer.from(bytes).toString("latin1");
    for (const fewer of shorterText(text))
      yield { bytes: new Uint8Array(Buffer.from(fewer, "latin1")), told: null };
  },
  show: ({ bytes }) =>
    `a body, as Latin-1: ${JSON.stringify(Buffer.from(bytes).toString("latin1").slice(0, 4000))}`,
};

type Fields = Readonly<Record<string, unknown>>;

/** The body's value where it is an object in strict UTF-8; null where it is none. */
function plainly(bytes: Uint8Array): Fields | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null;
  } catch {
    return null;
  }
}

function judge(
  bytes: Uint8Array,
  told: Told | null,
  call: ReturnType<typeof readModelCall>,
  spliced: Uint8Array | null,
): Verdict {
  const value = plainly(bytes);
  if (call instanceof Refusal) {
    const known =
      call.code === "body_invalid" ? value !== null && !nestsOver(value, 255) : told?.refused === false;
    return { wrong: known ? `refused as ${call.code}` : null, sort: call.code };
  }
  if (value === null) return { wrong: "taken, though it is no object in JSON", sort: "taken" };
  if (told?.refused) return { wrong: "taken, though it had to be refused", sort: "taken" };
  const wants = wantsUsage(value);
  if (spliced === null) return { wrong: wants ? "not spliced" : null, sort: "left as it is" };
  if (!wants) return { wrong: "spliced, though nothing was to be asked", sort: "spliced" };
  return { wrong: wrongWithSplice(bytes, value, spliced), sort: "spliced" };
}

function wantsUsage({ stream, stream_options: options }: Fields): boolean {
  if (stream !== true) return false;
  if (options === undefined || options === null) return true;
  if (typeof options !== "object" || Array.isArray(options)) return false;
  const said = (options as Fields)["include_usage"];
  return said === undefined || said === null || said === false;
}

function wrongWithSplice(bytes: Uint8Array, value: Fields, spliced: Uint8Array): string | null {
  const after = plainly(spliced);
  const shown = JSON.stringify(Buffer.from(spliced).toString("latin1").slice(0, 2000));
  const options = (value["stream_options"] ?? {}) as Fields;
  const expected = { ...value, stream_options: { ...options, include_usage: true } };
  if (!isDeepStrictEqual(after, expected)) return `it then says something else: ${shown}`;
  // One place: the same bytes before and after it, and between them a value that said no, or nothing.
  let from = 0;
  while (from < bytes.length && bytes[from] === spliced[from]) from += 1;
  let tail = 0;
  const most = Math.min(bytes.length, spliced.length) - from;
  while (tail < most && bytes.at(-1 - tail) === spliced.at(-1 - tail)) tail += 1;
  const gone = Buffer.from(bytes.subarray(from, bytes.length - tail)).toString("latin1");
  const longest = '"stream_options":{"include_usage":true},'.length;
  if (!/^(?:[nul]*|[fals]*)$/.test(gone) || spliced.length - bytes.length > longest)
    return `other bytes were touched (${JSON.stringify(gone)} went): ${shown}`;
  return null;
}

function nestsOver(value: unknown, left: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= left; depth += 1) {
    level = level.flatMap((one) => (typeof one === "object" && one !== null ? Object.values(one) : []));
    level = level.filter((one) => typeof one === "object" && one !== null);
    if (level.length === 0) return false;
  }
  return true;
}
