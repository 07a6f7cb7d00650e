/**
 * Target `scan`: bodies of model calls through `readModelCall` and `readConversation`. Checks:
 *
 * Half of the cases are scanned in windows of few bytes, so that their borders fall everywhere.
 *
 * - Accepted exactly where `JSON.parse` accepts an object after strict decoding, up to the depth.
 * - The fields, and every known member's bytes, have the value that `JSON.parse` returns.
 * - Refused as repeated only where a key that is read is repeated, or in another case.
 * - Lenient readers (first or last key wins, case ignored) agree about everything accepted: model, stream, usage option,
 *   all known fields, and the conversation, which equals the oracle's.
 */
import { isDeepStrictEqual } from "node:util";
import { messagesConversation } from "../../src/gateway/provider/anthropic/messages-conversation.ts";
import { readConversation } from "../../src/gateway/provider/conversation.ts";
import { JsonSource } from "../../src/gateway/provider/json-source.ts";
import { readModelCall, requestFields, type ModelCall } from "../../src/gateway/provider/model-call.ts";
import { chatConversation } from "../../src/gateway/provider/openai/chat-conversation.ts";
import { responsesConversation } from "../../src/gateway/provider/openai/responses-conversation.ts";
import { Refusal } from "../../src/shared/refusal.ts";
import { checkUnchanged, showBytes } from "../body-bytes.ts";
import { shorterBytes } from "../shrink.ts";
import type { Target, Verdict } from "../target.ts";
import { expectedConversation, type Api } from "./oracle.ts";
import { randomCall, type CallCase } from "./random-call.ts";
import { depthOf, READERS, repeats, toTree, valueFor, type Node } from "./readers.ts";

const CHECKED = ["model", "stream", "stream_options"];
const MORE = ["messages", "input", "tools", "user", "max_tokens", "metadata"];
const FIELDS = requestFields(MORE);
const RULES = { chat: chatConversation, messages: messagesConversation, responses: responsesConversation };

export const scan: Target<CallCase> = {
  name: "scan",
  generate: randomCall,
  check: async (one) => checkUnchanged(one.bytes, () => checkCall(one)),
  smaller: function* (one) {
    for (const fewer of shorterBytes(one.bytes)) yield { ...one, bytes: fewer };
  },
  show: ({ api, bytes, windowBytes }) => `${api}, windows of ${windowBytes} bytes, ${showBytes(bytes)}`,
};

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The tree of a JSON object in strict UTF-8; null for anything else. */
function parse(bytes: Uint8Array): Node | null {
  try {
    const text = DECODER.decode(bytes);
    JSON.parse(text);
    const tree = toTree(text);
    return tree.kind === "object" ? tree : null;
  } catch {
    return null;
  }
}

function checkCall({ api, bytes, windowBytes }: CallCase): Verdict {
  const tree = parse(bytes);
  const call = readModelCall(new JsonSource(bytes, windowBytes), FIELDS);
  if (call instanceof Refusal) return { failure: unjustified(call, tree, api), category: call.code };
  if (tree === null) return { failure: "accepted, but it is not a JSON object", category: "accepted" };
  const conversation = readConversation(call.body, RULES[api]);
  if (conversation instanceof Refusal)
    return { failure: unjustified(conversation, tree, api), category: "field_repeated in an entry" };
  const read = { ...conversation, texts: conversation.texts() };
  const category = conversation.prompt === null ? "accepted without a prompt" : "accepted with a prompt";
  const failure = READERS.map((reader) => {
    const value = valueFor(tree, reader) as Readonly<Record<string, unknown>>;
    const expected = expectedConversation(value, api);
    if (!isDeepStrictEqual(read, expected))
      return `${reader.name}: ${JSON.stringify(read)} instead of ${JSON.stringify(expected)}`;
    const wrong = wrongField(call, tree, value);
    return wrong === null ? null : `${reader.name}: ${wrong} differs`;
  }).find((one) => one !== null);
  return { failure: failure ?? null, category };
}

const option = (from: unknown): unknown =>
  (from as Readonly<Record<string, unknown>> | null)?.["include_usage"];

/** The name of a known field that a reader sees with another value than the gateway. */
function wrongField(
  { body, fields, model, stream }: ModelCall,
  tree: Node,
  value: Readonly<Record<string, unknown>>,
) {
  if ((value["model"] ?? null) !== model) return "model";
  if ((value["stream"] === true) !== stream) return "stream";
  if (option(value["stream_options"]) !== option(fields["stream_options"])) return "include_usage";
  const members = tree.kind === "object" ? tree.members : [];
  const wrong = [...CHECKED, ...MORE].find((name) => {
    const range = body.members.get(name);
    const known = members.find(([key]) => key === name)?.[1];
    if (range === undefined || known === undefined) return range !== known || name in value;
    const parsed = toTree(DECODER.decode(body.source.bytes.subarray(range.from, range.to)));
    if (!isDeepStrictEqual(parsed, known)) return true;
    return known.kind === "scalar" && name in fields && !isDeepStrictEqual(fields[name], known.value);
  });
  return wrong ?? null;
}

/** Why the refusal is wrong; null if it is right. */
function unjustified({ code, data }: Refusal, tree: Node | null, api: Api): string | null {
  if (code === "body_invalid")
    return tree !== null && depthOf(tree) <= 256 ? `refused: ${data.detail ?? ""}` : null;
  if (tree === null) return `refused as ${code}, but it is not JSON`;
  if (code === "field_invalid") return null;
  const members = tree.kind === "object" ? tree.members : [];
  const options = members.filter(([key]) => key === "stream_options").map(([, value]) => value);
  const entries = members.filter(([key]) => key === RULES[api].list).flatMap(([, list]) => itemsOf(list));
  const parts = entries.flatMap((entry) =>
    entry.kind === "object" ? entry.members.flatMap(([, value]) => itemsOf(value)) : [],
  );
  const isRight =
    repeats(tree, [...CHECKED, ...MORE]) ||
    options.some((value) => repeats(value, ["include_usage"])) ||
    entries.some((entry) => repeats(entry, RULES[api].keys.names)) ||
    parts.some((part) => repeats(part, ["type", "text", "content", "tool_use_id"]));
  return isRight ? null : `refused as ${code} without a repeated key`;
}

const itemsOf = (node: Node): readonly Node[] => (node.kind === "list" ? node.items : []);
