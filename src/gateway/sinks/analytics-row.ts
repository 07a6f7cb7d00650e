/**
 * The columns of both Analytics Engine data sets: the one place that knows them. Append-only: a column keeps its
 * position for ever, as queries name it by position; `test/gateway/sinks/analytics-row.test.ts` pins them and docs/reference.md.
 *
 * A count that is not known is -1 (a double has no null, and 0 would be a lie): query with `WHERE double… >= 0`.
 */
import { truncateBytes } from "../../shared/text.ts";
import type {
  InitiatorOverride,
  InitiatorOverrideRejected,
  InterceptionEnd,
  PassthroughEvent,
} from "../../events/event.ts";

/** Version of the rows, in `blob1`: raised when a column is added. */
export const ROW_VERSION = "2";

type Column<Event> = {
  readonly name: string;
  readonly is: string;
  readonly of: (event: Event) => string | number | boolean | null;
};
type Columns<Event> = {
  readonly blobs: readonly Column<Event>[];
  readonly doubles: readonly Column<Event>[];
};

/** The value of a field that only some of a data set's events have. */
const field =
  <Event extends object>(name: string): Column<Event>["of"] =>
  (event) =>
    ((event as Record<string, unknown>)[name] as string | number | boolean | null | undefined) ?? null;

const column = <Event extends object>(name: string, is: string): Column<Event> => ({
  name,
  is,
  of: field(name),
});

/** `INTERCEPTIONS`: a row for each `interception_end` and each `passthrough`. */
export const INTERCEPTION_COLUMNS: Columns<InterceptionEnd | PassthroughEvent> = {
  blobs: [
    { name: "version", is: "version of the row", of: () => ROW_VERSION },
    column("record_type", "`interception_end` or `passthrough`"),
    column("interception_id", "UUIDv7"),
    column("initiator_id", "on whose account"),
    column("actor_id", "who called"),
    column("attribution", "how far the initiator can be believed"),
    column("actor_kind", "`user`, `service` or `unknown`"),
    column("identity_source", "which source vouches for the actor"),
    column("client", "the calling software, by its own word"),
    column("client_session_id", "its session"),
    column("provider", "the configured provider's name"),
    column("route", "the route under the provider"),
    column("model", "the model asked for"),
    column("response_model", "the model that answered"),
    column("outcome", "how it ended; empty for a passthrough"),
    column("usage", "`final`, `partial` or `unknown`"),
    column("credential_kind", "`centralized` or `byok`"),
    column("error", "refusal reason or the provider's error type"),
  ],
  doubles: [
    column("status", "HTTP status the client got"),
    column("duration_ms", "whole time"),
    column("first_byte_ms", "time to the answer's first byte"),
    column("response_bytes", "bytes of the answer"),
    column("input_tokens", "cache excluded"),
    column("output_tokens", ""),
    column("cache_read_input_tokens", ""),
    column("cache_write_input_tokens", ""),
    column("streaming", "1 where a stream was asked for"),
  ],
};

/** `OVERRIDES`: a row for each owner header, accepted or not. */
export const OVERRIDE_COLUMNS: Columns<InitiatorOverride | InitiatorOverrideRejected> = {
  blobs: [
    { name: "version", is: "version of the row", of: () => ROW_VERSION },
    column("record_type", "`initiator_override` or `initiator_override_rejected`"),
    column("interception_id", "UUIDv7"),
    column("initiator_id", "on whose account, after the decision"),
    column("actor_id", "who called"),
    column("attribution", "how far the initiator can be believed"),
    column("actor_kind", "`user`, `service` or `unknown`"),
    column("identity_source", "which source vouches for the actor"),
    column("owner_id", "the owner asserted; empty where rejected"),
    column("reason", "why it was rejected; empty where accepted"),
    column("client", "the calling software, by its own word"),
    column("provider", "the configured provider's name"),
    column("chat_id", "Coder's chat"),
    column("subchat_id", "Coder's subchat"),
    column("workspace_id", "Coder's workspace"),
    column("value_sha256", "16 hex digits of the rejected value's SHA-256"),
    column("rule", "what gave the right to assert, or denied it"),
    column("signature", "`valid`, `absent`, `off`, or what is wrong with it; empty where not looked at"),
    column("directory", "what the directory says of the owner, or `off`; empty where not asked"),
  ],
  doubles: [column("value_length", "characters of the rejected value")],
};

/** What `writeDataPoint` is given: https://developers.cloudflare.com/analytics/analytics-engine/limits/ */
export type DataPoint = {
  readonly indexes: [string];
  readonly blobs: string[];
  readonly doubles: number[];
};

const MAX_INDEX_BYTES = 96;
/** 20 blobs of at most 768 bytes stay under the 16,000 bytes that they may have together. */
const MAX_BLOB_BYTES = 768;

export function toRow<Event extends { readonly initiator_id: string }>(
  { blobs, doubles }: Columns<Event>,
  event: Event,
): DataPoint {
  return {
    indexes: [truncateBytes(event.initiator_id, MAX_INDEX_BYTES)],
    blobs: blobs.map(({ of }) => truncateBytes(String(of(event) ?? ""), MAX_BLOB_BYTES)),
    doubles: doubles.map(({ of }) => toDouble(of(event))),
  };
}

function toDouble(value: string | number | boolean | null): number {
  const number = typeof value === "boolean" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : -1;
}

// oxlint-disable-next-line no-control-regex -- all of ASCII
