/**
 * An interception's record: a start, and exactly one end, whatever happens between. The first end counts; a second one
 * (the client leaves as the answer ends) is not recorded.
 */
import type { Actor } from "../identity/identity.ts";
import { endEvent, startEvent, tokenUsageEvent, type Finish, type Subject } from "./compose.ts";
import type { Recorder } from "./recorder.ts";

export type Interception = { readonly end: (finish: Finish) => void };

export function startInterception(
  { record }: Recorder,
  subject: Subject,
  actor: Actor,
  startedAt: number,
  now: () => number,
): Interception {
  let open = true;
  record(startEvent(subject, actor, startedAt));
  return {
    end: (finish) => {
      if (!open) return;
      open = false;
      const at = now();
      const usage = finish.conclusion && tokenUsageEvent(subject, finish.conclusion, at);
      if (usage) record(usage);
      record(endEvent(subject, startedAt, finish, at));
    },
  };
}
