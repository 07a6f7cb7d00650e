import { topLevelMembers, type Member } from "./json-members.ts";
import type { ModelCall } from "./model-call.ts";
import { concat } from "../../shared/bounded-read.ts";
import { asObject } from "../../shared/json.ts";

const OPTION = '"include_usage":true';

/**
 * The body with the opt-in, or null where the client has asked for usage itself or there is nothing to ask: no stream,
 * or options of a type that the provider will refuse anyway.
 */
export function injectUsageOption(call: ModelCall, bytes: Uint8Array): Uint8Array | null {
  if (!call.stream) return null;
  const options = call.fields["stream_options"];
  if (options === undefined) {
    const at = bytes.indexOf(0x7b) + 1;
    return insert(bytes, at, at, `"stream_options":{${OPTION}},`);
  }
  if (options !== null && !asObject(options)) return null;
  const said = asObject(options)?.["include_usage"] ?? false;
  if (said !== false) return null;
  const member = find(topLevelMembers(call.text), "stream_options");
  return member && intoOptions(call.text, bytes, member);
}

/** The option into `stream_options: null`, `{}`, or an object that leaves it out or says no. */
function intoOptions(text: string, bytes: Uint8Array, member: Member): Uint8Array {
  const value = text.slice(member.from, member.to);
  const put = (from: number, to: number, what: string): Uint8Array => {
    const start = byteLength(text.slice(0, member.from + from));
    return insert(bytes, start, start + byteLength(value.slice(from, to)), what);
  };
  if (value === "null") return put(0, value.length, `{${OPTION}}`);
  const said = find(topLevelMembers(value), "include_usage");
  if (said) return put(said.from, said.to, "true");
  return put(1, 1, topLevelMembers(value).next().done ? OPTION : `${OPTION},`);
}

function find(members: Iterable<Member>, key: string): Member | null {
  // The last one counts, as it does for JSON.parse.
  let found: Member | null = null;
  for (const member of members) if (member.key === key) found = member;
  return found;
}

/** The bytes with those from `from` up to `to` replaced by `what`. */
function insert(bytes: Uint8Array, from: number, to: number, what: string): Uint8Array {
  const middle = new TextEncoder().encode(what);
  const parts = [bytes.subarray(0, from), middle, bytes.subarray(to)];
  return concat(parts, bytes.byteLength - (to - from) + middle.byteLength);
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).byteLength;
}
