/** The ids of stored objects as records have them. A caller or a provider chose them. */
import type { SecretFinder } from "../../shared/secret-finder.ts";
import { truncate } from "../../shared/text.ts";

/** Of the objects that one request names. An event has room for so many in a log line. */
const MAX_OBJECTS = 16;
const MAX_ID = 256;

/** `secrets`: the configured ones are removed here, because only the first events of a request are searched for all of them. */
export const toRecordedIds = (ids: Iterable<string>, secrets: SecretFinder | null): readonly string[] =>
  [...ids].slice(0, MAX_OBJECTS).map((id) => truncate(secrets?.redactField(id) ?? id, MAX_ID));
