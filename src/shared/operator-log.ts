/**
 * The operator's log: failures of a Worker itself, one line of JSON each, written by `console.error`. A line has a stable
 * code in `event` and the fields of that code, so that an alert can match on both.
 */
import { escapeUnsafe } from "./log-line.ts";

/** The codes, each with its meaning and its fields. */
export const OPERATOR_EVENTS = {
  configuration_invalid: "The configuration has issues, and every request is refused: `issues`.",
  request_failed:
    "An unexpected error ended a request, and the client got the refusal `internal`: `interception_id`, `error`.",
  sink_failed: "A sink did not take the events of a request: `sink`, `interception_id`, `error`.",
  secret_leaked:
    "A provider's response contained a configured secret, which must be replaced. The client did not get that response, or that header; of a stream it may have got a part: `provider`, `secret` (its name), `where` (`header`, `body` or `stream`), `interception_id`.",
  provider_key_rejected:
    "A provider rejected one of several central keys, which must be replaced; the others are used. Once for each isolate until the key is accepted: `provider`, `key_hint`, `interception_id`.",
  provider_circuit_opened:
    "A provider failed so often that an isolate calls it no more for a model on this route, until trials succeed: `provider`, `route`.",
  provider_circuit_closed:
    "The trials succeeded, and the isolate calls the provider again: `provider`, `route`.",
  provider_token_failed:
    "The gateway could not fetch an access token for a provider: `setting` (of the credential), `reason`.",
  directory_failed: "The directory could not be queried: `reason`.",
  replay_cache_failed: "The replay cache could not be queried: `reason`.",
  object_owners_failed: "The owners of stored objects could not be queried: `reason`.",
  budget_failed: "A budget object did not respond: `reason`.",
  budget_not_charged:
    "Results of a batch, or a background response, were read and not charged, because the object that stores their accounts did not respond. The next reading charges them: `provider`, `interception_id`.",
  client_key_invalid:
    "An entry of the client key store is invalid, and its key is rejected: `key_id` (as `npm run keys` lists it), `reason`.",
  messages_not_stored:
    "Messages of the queue could not be stored together, and are stored one by one or retried: `messages`, `error`.",
  events_unknown:
    "Events are of a newer version than this Worker, and are kept in their message or by the gateway: `events` (their number), `message_id` (from the queue only).",
  events_malformed:
    "Entries from the gateway or the queue are not events, and are kept in their message or by the gateway: `events` (their number), `message_id` (from the queue only).",
  events_unauthenticated:
    "Events without a valid MAC were stored apart from the ledger (`GET /unauthenticated-events`): `events` and `messages` (their numbers), `reasons` (`missing`, `unknown_key`, `wrong` or `reserved_type`), `mac_key_ids` (the keys that the MACs name).",
  event_mac_not_required:
    "Events without a MAC are stored in the ledger, unmarked. Once for each isolate of the records Worker: `reason` (`no_key`: EVENT_MAC_KEY is not set; `accept`: EVENT_MAC says so).",
  message_archived: "A message was archived unmodified: `message_id`, `key` (of the object).",
  message_not_archived: "A message could not be archived unmodified: `message_id`, `error`.",
  message_printed:
    "A message was printed unmodified, for `npm run replay`: `message_id`, `pieces` (the number of its lines).",
  dead_letter_stored: "A message of the dead-letter queue was stored: `message_id`.",
  dead_letter_not_stored:
    "A message of the dead-letter queue could not be stored completely, and is archived or printed next: `message_id`, `error`.",
  message_given_up:
    "A message could not be stored at its last attempt, and its events are in the log: `message_id`, `error`.",
  orphans_closed:
    "Interceptions or passthroughs without an end were closed as `orphaned`: `interceptions` or `passthroughs` (their number).",
  access_not_stored:
    "A read through the API could not be stored in the ledger, and is in the log only: `error`.",
  ledger_sealed:
    "The sealer signed a checkpoint of the ledger's log: `tree_size`, `events` (sealed in this run), `checkpoint` (the signed note, which an auditor keeps).",
  events_absent:
    "The rows of events were gone or unreadable before the sealer reached them, and the log says so: `events` (their number), `event_ids` (the first ones).",
  seals_failed:
    "The sealer, or the publication of its checkpoint, failed, and the next run continues: `error`.",
  seals_off: "The ledger is not sealed, because there is no `SEAL_KEY`. Logged once an hour.",
  erasure_archive_pass:
    "An erasure has passed through the archive: `erasure`, `pass` (1 of all objects, 2 of late ones), `state` (`open`, or `complete` once its digests are deleted).",
  erasure_unreadable:
    "The digests of an open erasure cannot be read, so that late events and the archive keep the person: run `npm run erase` again with the person's ids: `erasure`.",
  erasure_object_left:
    "An object of the archive names an erased person and could not be rewritten or deleted, for example under a bucket lock: `key`, `error`.",
  maintenance_failed: "A part of the cron's maintenance failed: `error`.",
  maintenance_unfinished: "A part of the maintenance reached its limit, and the next run continues: `task`.",
} as const;

export type OperatorEventCode = keyof typeof OPERATOR_EVENTS;

/** No field holds a secret, nor content of a request. */
export type OperatorEvent = {
  readonly event: OperatorEventCode;
  readonly [field: string]: string | number | readonly string[];
};

export type LogOperatorEvent = (event: OperatorEvent) => void;

/** One line of JSON without line breaks, escape sequences or control characters. */
export function toOperatorLine(event: OperatorEvent): string {
  return escapeUnsafe(JSON.stringify(event));
}

/** Writes the line into the Worker's log. */
export const logOperatorEvent: LogOperatorEvent = (event) => console.error(toOperatorLine(event));

/** The name of an error's class. Its message may hold content of a request. */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : "unknown";
}
