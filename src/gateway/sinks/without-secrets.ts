/** Keeps configured secrets out of every field of every event. A provider can put one into its own names and ids. */
import type { SecretFinder } from "../../shared/secret-finder.ts";
import type { Recorder } from "./recorder.ts";

export function withoutSecrets(recorder: Recorder, secrets: SecretFinder | null): Recorder {
  if (secrets === null) return recorder;
  const { redactField } = secrets;
  return { ...recorder, record: (event) => recorder.record(clean(event, redactField)) };
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
