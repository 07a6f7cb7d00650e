/**
 * Keeps configured secrets out of every field of every event: a caller or a provider can put one into names and ids. The first
 * group has all that the caller wrote, and the provider's response is searched where it arrives. Only where one of the two
 * contained a secret are the later events examined.
 */
import { eventText } from "../../events/event-text.ts";
import type { SecretFinder } from "../../shared/secret-finder.ts";
import type { Recorder } from "./recorder.ts";

/** Whether the request or its response contained a configured secret. */
export type Leak = { found: boolean };

/** `leak` is set here where the request contained a secret, and elsewhere where the response does. */
export function withoutSecrets(recorder: Recorder, secrets: SecretFinder | null, leak: Leak): Recorder {
  if (secrets === null) return recorder;
  const { redactField, hasShort, isAbsentFrom } = secrets;
  let isFirst = true;
  let isEmpty = true;
  return {
    record: (event) => {
      isEmpty = false;
      if (!isFirst && !leak.found && !hasShort && event.record_type !== "refusal")
        return recorder.record(event);
      // One search of the whole text, which the sinks need anyway, costs less than one of each field.
      if (isAbsentFrom(eventText(event))) return recorder.record(event);
      const cleaned = clean(event, redactField);
      if (cleaned !== event) leak.found = true;
      recorder.record(cleaned);
    },
    flush: () => {
      isFirst &&= isEmpty;
      return recorder.flush();
    },
  };
}

/** The value itself if no text in it changes. Events hold texts, numbers, lists and plain objects. */
function clean<T>(value: T, redact: (text: string) => string): T {
  if (typeof value === "string") return redact(value) as T;
  if (typeof value !== "object" || value === null) return value;
  let copy: Record<string, unknown> | null = null;
  for (const key in value) {
    const member: unknown = value[key];
    const cleaned = clean(member, redact);
    if (cleaned === member) continue;
    copy ??= (Array.isArray(value) ? [...(value as unknown[])] : { ...value }) as Record<string, unknown>;
    copy[key] = cleaned;
  }
  return (copy as T | null) ?? value;
}
