/**
 * Spans of time, by which the interceptions of an initiator are indexed: the first digits of an id (UUID version 7), 2^20
 * milliseconds or 17 minutes. The tables `session_spans` and `actor_spans` have those in which a session and an actor have
 * interceptions. So an interception has one entry of an index, and a row in these tables with others of its span.
 */
const DIGITS = 7;

/** As the generated column `span` has it. */
export const spanOf = (id: string): string => id.slice(0, DIGITS);
