/**
 * Adds the usage opt-in (`stream_options.include_usage`) to a Chat Completions request. The change is made in the
 * request's bytes, so that every other byte is forwarded unmodified.
 */
import { topLevelMembers, type Member } from "./json-members.ts";
import type { ModelCall } from "./model-call.ts";
import { concat } from "../../shared/bounded-read.ts";
import { asObject } from "../../shared/json.ts";
import { byteLength } from "../../shared/text.ts";

const OPTION = '"include_usage":true';

/**
 * The body with the opt-in, or null if the body needs no change: the request does not stream, the client has already set
 * `include_usage`, or `stream_options` has a type that the provider will reject.
 */
export function injectUsageOption(call: ModelCall, bytes: Uint8Array): Uint8Array | null {
  if (!call.stream) return null;
  const options = call.fields["stream_options"];
  if (options === undefined) {
    const at = bytes.indexOf(0x7b) + 1;
    return replaceBytes(bytes, at, at, `"stream_options":{${OPTION}},`);
  }
  if (options !== null && !asObject(options)) return null;
  const current = asObject(options)?.["include_usage"] ?? false;
  if (current !== false) return null;
  const member = lastMember(topLevelMembers(call.text), "stream_options");
  return member && setOption(call.text, bytes, member);
}

/** Sets the option where `stream_options` is null, empty, or an object in which `include_usage` is absent or not true. */
function setOption(text: string, bytes: Uint8Array, member: Member): Uint8Array {
  const value = text.slice(member.from, member.to);
  const replace = (from: number, to: number, replacement: string): Uint8Array => {
    const start = byteLength(text.slice(0, member.from + from));
    return replaceBytes(bytes, start, start + byteLength(value.slice(from, to)), replacement);
  };
  if (value === "null") return replace(0, value.length, `{${OPTION}}`);
  const current = lastMember(topLevelMembers(value), "include_usage");
  if (current) return replace(current.from, current.to, "true");
  return replace(1, 1, topLevelMembers(value).next().done ? OPTION : `${OPTION},`);
}

/** The last member with the key, which is the one that JSON.parse returns. */
function lastMember(members: Iterable<Member>, key: string): Member | null {
  let last: Member | null = null;
  for (const member of members) if (member.key === key) last = member;
  return last;
}

/** The bytes with those from `from` up to `to` replaced. */
function replaceBytes(bytes: Uint8Array, from: number, to: number, replacement: string): Uint8Array {
  const middle = new TextEncoder().encode(replacement);
  const parts = [bytes.subarray(0, from), middle, bytes.subarray(to)];
  return concat(parts, bytes.byteLength - (to - from) + middle.byteLength);
}
