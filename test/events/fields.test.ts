import { describe, expect, it } from "vitest";
import { aboutOf, type FieldKind } from "../../src/events/field.ts";
import { RECORDS, type RecordDefinition } from "../../src/events/fields.ts";
import { isUuid } from "../../src/shared/uuid.ts";
import { everyEvent } from "../support/in-workerd/events.ts";

const RECORD_LIST = Object.entries<RecordDefinition>(RECORDS);

describe("the record codes", () => {
  it("are pinned, because event ids in tables and archives hold them", () => {
    expect(Object.fromEntries(RECORD_LIST.map(([type, { code }]) => [type, code]))).toEqual({
      interception_start: 0,
      interception_end: 1,
      token_usage: 2,
      prompt_usage: 3,
      tool_usage: 4,
      model_thought: 5,
      initiator_override: 6,
      initiator_override_rejected: 7,
      refusal: 8,
      passthrough: 9,
      retrieved_usage: 10,
      batch_file: 11,
      passthrough_start: 12,
      refusal_count: 13,
      ledger_access: 14,
      budget_threshold: 15,
      budget_exceeded: 16,
      budget_overrun: 17,
      rate_limited: 18,
      budget_change: 19,
      budget_charge: 20,
      cost_correction: 21,
      upstream_attempt: 22,
    });
  });

  it("are unique and fit into four bits, or into eight from 15 on", () => {
    const codes = RECORD_LIST.map(([, { code }]) => code);
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) {
      expect(Number.isInteger(code)).toBe(true);
      expect(code).toBeGreaterThanOrEqual(0);
      expect(code).toBeLessThan(15 + 16);
    }
  });
});

describe("the tables of the record types", () => {
  it("are pinned", () => {
    expect(Object.fromEntries(RECORD_LIST.map(([type, { table }]) => [type, table]))).toEqual({
      interception_start: "interceptions",
      interception_end: "interceptions",
      token_usage: "token_usages",
      prompt_usage: "user_prompts",
      tool_usage: "tool_usages",
      model_thought: "model_thoughts",
      initiator_override: "initiator_overrides",
      initiator_override_rejected: "initiator_overrides",
      refusal: "refusals",
      passthrough: "passthroughs",
      retrieved_usage: "retrieved_usages",
      batch_file: "batch_files",
      passthrough_start: "passthroughs",
      refusal_count: "refusal_counts",
      ledger_access: "ledger_accesses",
      budget_threshold: "budget_events",
      budget_exceeded: "budget_events",
      budget_overrun: "budget_events",
      rate_limited: "budget_events",
      budget_change: "budget_events",
      budget_charge: "budget_events",
      cost_correction: "cost_corrections",
      upstream_attempt: "upstream_attempts",
    });
  });
});

/** Fields of Coder's interception log. Its readers depend on the names, so none may be renamed or removed. */
const CODER_FIELDS: Readonly<Record<string, readonly string[]>> = {
  interception_start: [
    "interception_id",
    "initiator_id",
    "api_key_id",
    "provider",
    "model",
    "client",
    "client_session_id",
    "started_at",
    "metadata",
    "correlating_tool_call_id",
    "thread_parent_id",
    "thread_root_id",
  ],
  interception_end: ["interception_id", "ended_at"],
  token_usage: [
    "interception_id",
    "msg_id",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "created_at",
    "metadata",
  ],
  prompt_usage: ["interception_id", "msg_id", "prompt", "created_at", "metadata"],
  tool_usage: [
    "interception_id",
    "msg_id",
    "tool_call_id",
    "tool",
    "input",
    "server_url",
    "injected",
    "invocation_error",
    "created_at",
    "metadata",
  ],
  model_thought: ["interception_id", "content", "created_at", "metadata"],
};

describe("the fields", () => {
  it.each(Object.entries(CODER_FIELDS))("of %s include those of Coder's log", (type, names) => {
    const { fields } = RECORDS[type as keyof typeof RECORDS];
    expect(Object.keys(fields)).toEqual(expect.arrayContaining([...names]));
  });

  it.each(RECORD_LIST)(
    "of %s have names of lower-case words, and a phrase as their meaning",
    (_, { fields }) => {
      for (const [name, field] of Object.entries(fields)) {
        const about = aboutOf(field);
        expect(name).toMatch(/^[a-z0-9]+(?:_[a-z0-9]+)*$/);
        expect(about).not.toBe("");
        expect(about).not.toMatch(/\.$|^\s|\s$/);
      }
      expect(fields).toHaveProperty("interception_id");
      expect(fields).not.toHaveProperty("record_type");
    },
  );

  it.each(everyEvent.map((event) => [event.record_type, event] as const))(
    "of %s are exactly those of an event",
    (type, event) => {
      const names = ["record_type", ...Object.keys(RECORDS[type].fields)];
      expect(Object.keys(event).toSorted()).toEqual(names.toSorted());
    },
  );

  it.each(everyEvent.map((event) => [event.record_type, event] as const))(
    "of %s have the kind and nullability of an event's values",
    (type, event) => {
      const { fields }: RecordDefinition = RECORDS[type];
      for (const [name, { kind, nullable }] of Object.entries(fields)) {
        const value = (event as unknown as Record<string, unknown>)[name];
        expect([name, value === null ? nullable : IS_KIND[kind](value)]).toEqual([name, true]);
      }
    },
  );

  it("with one column in a table have the same kind in every record type of that table", () => {
    const kinds = new Map<string, FieldKind>();
    const conflicts: string[] = [];
    for (const [, { table, fields }] of RECORD_LIST) {
      for (const [name, { column = name, kind }] of Object.entries(fields)) {
        if (table === null || column === null) continue;
        const key = `${table}.${column}`;
        if ((kinds.get(key) ?? kind) !== kind) conflicts.push(key);
        kinds.set(key, kind);
      }
    }
    expect(conflicts).toEqual([]);
  });
});

const IS_KIND: Readonly<Record<FieldKind, (value: unknown) => boolean>> = {
  text: (value) => typeof value === "string",
  uuid: (value) => typeof value === "string" && isUuid(value),
  time: (value) => typeof value === "string" && new Date(value).toISOString() === value,
  count: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  integer: (value) => Number.isSafeInteger(value),
  flag: (value) => typeof value === "boolean",
  texts: (value) => Array.isArray(value) && value.every((item) => typeof item === "string"),
  object: (value) => typeof value === "object" && value !== null,
};
