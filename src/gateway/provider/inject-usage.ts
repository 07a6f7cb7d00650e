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

/** A body with the opt-in. */
export type InjectedUsage = {
  readonly bytes: Uint8Array;
  /** The client's own bytes, made from those of the edited body, so that only one of the two is held. */
  readonly original: () => Uint8Array;
};

/** Whether the client itself set the option, or sent one that the gateway does not edit. */
export function setsUsageOption({ fields }: Pick<ModelCall, "fields">): boolean {
  const options = fields["stream_options"];
  if (options === undefined || options === null) return false;
  const object = asObject(options);
  return object === null || (object["include_usage"] ?? false) !== false;
}

/**
 * The body with the opt-in, or null if the body needs no change: the request does not stream, the client has already set
 * `include_usage`, or `stream_options` has a type that the provider will reject.
 */
export function injectUsageOption(call: ModelCall, bytes: Uint8Array): InjectedUsage | null {
  if (!call.stream || setsUsageOption(call)) return null;
  const options = call.fields["stream_options"];
  if (options === undefined) {
    const at = bytes.indexOf(0x7b) + 1;
    return replaceBytes(bytes, at, at, `"stream_options":{${OPTION}},`);
  }
  const member = lastMember(topLevelMembers(call.text), "stream_options");
  return member && setOption(call.text, bytes, member);
}

/** Sets the option where `stream_options` is null, empty, or an object in which `include_usage` is absent or not true. */
function setOption(text: string, bytes: Uint8Array, member: Member): InjectedUsage {
  const value = text.slice(member.from, member.to);
  const replace = (from: number, to: number, replacement: string): InjectedUsage => {
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
function replaceBytes(bytes: Uint8Array, from: number, to: number, replacement: string): InjectedUsage {
  const middle = new TextEncoder().encode(replacement);
  const end = from + middle.byteLength;
  const removed = bytes.slice(from, to);
  const size = bytes.byteLength;
  const injected = concat(
    [bytes.subarray(0, from), middle, bytes.subarray(to)],
    size - (to - from) + middle.byteLength,
  );
  const original = (): Uint8Array =>
    concat([injected.subarray(0, from), removed, injected.subarray(end)], size);
  return { bytes: injected, original };
}
