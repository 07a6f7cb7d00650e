/** The text of src/events/event-writers.ts, generated from the event field table. */
import prettier from "prettier";
import type { Field, Fields } from "../../src/events/field.ts";
import { CALL, CALLER, RECORDS, type RecordDefinition } from "../../src/events/fields.ts";

const HEAD = `/**
 * Writes the events of every intercepted request as JSON, field by field, which takes fewer instructions than
 * \`JSON.stringify\`. Generated from the event field table (fields.ts) by \`npm run tables\`.
 */
import type { InitiatorOverride, InterceptionEnd, InterceptionStart, TokenUsage } from "./event.ts";
import type { CallerValues } from "./fields.ts";
import { list, object, orNull, quote } from "./json-values.ts";
`;

/** The records of every intercepted request. `JSON.stringify` writes the others, which are rarer. */
const WRITTEN = {
  interception_start: "InterceptionStart",
  interception_end: "InterceptionEnd",
  initiator_override: "InitiatorOverride",
  token_usage: "TokenUsage",
} as const;

/** The expression that writes a field of `event`. Each text is quoted: what is safe today may be a client's word tomorrow. */
function valueOf(name: string, { kind, nullable }: Field): string {
  const value = `event.${name}`;
  switch (kind) {
    case "text":
    case "uuid":
    case "time":
      return nullable ? `\${orNull(${value})}` : `\${quote(${value})}`;
    case "count":
    case "integer":
    case "flag":
      return `\${${value}}`;
    case "texts":
      return `\${list(${value})}`;
    case "object":
      return `\${object(${value})}`;
  }
}

const membersOf = (fields: Fields): string =>
  Object.entries(fields)
    .map(([name, field]) => `"${name}":${valueOf(name, field)}`)
    .join(",");

const without = (fields: Fields, names: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !(name in names)));

/** `record_type` first, so that a person sees it. */
function writerOf(type: keyof typeof WRITTEN): string {
  const { fields, ledgerFields = {} }: RecordDefinition = RECORDS[type];
  const hasCaller = Object.keys(CALLER).every((name) => name in fields);
  const call = Object.keys(CALL).every((name) => name in fields) ? CALL : {};
  const own = without(without(fields, hasCaller ? CALLER : {}), call);
  const shared = [hasCaller ? "${callerMembers(event)}" : "", membersOf(call)].filter((text) => text !== "");
  const members = [`"record_type":"${type}"`, ...shared, membersOf(own)].join(",");
  const later = Object.entries(ledgerFields).map(
    ([name, field]) => `\${event.${name} === undefined ? "" : \`,"${name}":${valueOf(name, field)}\`}`,
  );
  return `${type}: (event: ${WRITTEN[type]}): string => \`{${members}${later.join("")}}\`,`;
}

const CALLER_MEMBERS = `
let last: CallerValues | null = null;
let lastMembers = "";

/** The events of one request are written one after the other, and have the same caller. */
function callerMembers(event: CallerValues): string {
  if (last !== null && ${Object.keys(CALLER)
    .map((name) => `event.${name} === last.${name}`)
    .join(" && ")}) return lastMembers;
  last = event;
  lastMembers = \`${membersOf(CALLER)}\`;
  return lastMembers;
}
`;

export async function eventWritersText(path: string): Promise<string> {
  const writers = (Object.keys(WRITTEN) as (keyof typeof WRITTEN)[]).map(writerOf);
  const text = `${HEAD}${CALLER_MEMBERS}\nexport const EVENT_WRITERS = {\n${writers.join("\n")}\n};\n`;
  return prettier.format(text, { ...(await prettier.resolveConfig(path)), filepath: path });
}
