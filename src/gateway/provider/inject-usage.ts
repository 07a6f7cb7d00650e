/** Adds the usage opt-in (`stream_options.include_usage`) to a Chat Completions request. */
import type { BodyEdit } from "./body-edit.ts";
import type { Range } from "./json-body.ts";
import { eachMember } from "./json-members.ts";
import { skipBlank } from "./json-scan.ts";
import type { JsonSource } from "./json-source.ts";
import { OPTION_KEYS, type ModelCall } from "./model-call.ts";
import { asObject } from "../../shared/json.ts";

const OPTION = '"include_usage":true';

/** Whether the client itself set the option. */
export const setsUsageOption = ({ fields }: Pick<ModelCall, "fields">): boolean =>
  asObject(fields["stream_options"])?.["include_usage"] === true;

/**
 * The edit that adds the opt-in, or null if the body needs none: the request does not stream, or the client has already set
 * `include_usage`.
 */
export function usageOptionEdit({ stream, fields, body }: ModelCall): BodyEdit | null {
  if (!stream || setsUsageOption({ fields })) return null;
  const { members, source } = body;
  const { bytes } = source;
  const range = members.get("stream_options");
  if (range === undefined) {
    const at = bytes.indexOf(0x7b) + 1;
    return { from: at, to: at, text: `"stream_options":{${OPTION}},` };
  }
  const options = fields["stream_options"];
  if (options === null) return { ...range, text: `{${OPTION}}` };
  return setOption(source, range.from);
}

/** Sets the option in the object at `from`, which has it at most once. */
function setOption(source: JsonSource, from: number): BodyEdit {
  const { bytes } = source;
  const isEmpty = bytes[skipBlank(bytes, from + 1)] === 0x7d;
  let range: Range = { from: from + 1, to: from + 1 };
  let text = isEmpty ? OPTION : `${OPTION},`;
  eachMember(source, from, (key, start, to) => {
    if (OPTION_KEYS.find(source, key) === null) return;
    range = { from: start, to };
    text = "true";
  });
  return { ...range, text };
}
