/**
 * An interception's record: a start, and exactly one end, whatever happens between. The first end counts; a second one
 * (the client leaves as the answer ends) is not recorded.
 */
import type { Actor } from "../identity/identity.ts";
import type { Flag } from "../initiator/flags.ts";
import type { Conversation } from "../provider/conversation.ts";
import {
  endEvent,
  promptEvent,
  startEvent,
  thoughtEvents,
  tokenUsageEvent,
  toolEvents,
  type InterceptionResult,
  type Subject,
} from "../../events/compose.ts";
import type { Recorder } from "../sinks/recorder.ts";
import type { Redact } from "../../events/redaction.ts";

export type Interception = {
  /** Whether every required sink took the start. */
  readonly started: boolean | Promise<boolean>;
  readonly end: (finish: InterceptionResult) => void;
};

/** What of the conversation is recorded, and how it is cleaned. */
export type Recording = { readonly prompts: boolean; readonly redact: Redact };

/** What is known as it begins. */
export type InterceptionContext = {
  readonly subject: Subject;
  readonly actor: Actor;
  readonly initiatorName: string | null;
  readonly flags: readonly Flag[];
  readonly ask: Conversation;
  readonly startedAt: number;
};

export function startInterception(
  { record, flush }: Recorder,
  { subject, actor, initiatorName, flags, ask, startedAt }: InterceptionContext,
  { prompts, redact }: Recording,
  now: () => number,
): Interception {
  let open = true;
  record(startEvent(subject, actor, initiatorName, flags, ask));
  const prompt = prompts ? promptEvent(subject, ask, redact, startedAt) : null;
  if (prompt) record(prompt);
  const begun = flush();

  const end = (finish: InterceptionResult): void => {
    if (!open) return;
    open = false;
    const at = now();
    const { observation: conclusion } = finish;
    const usage = conclusion && tokenUsageEvent(subject, conclusion, at);
    if (usage) record(usage);
    // Before the tools: what is cut off a crowded log is its end.
    record(endEvent(subject, startedAt, finish, redact, at));
    if (conclusion) {
      for (const event of toolEvents(subject, conclusion, redact, at)) record(event);
      for (const event of thoughtEvents(subject, conclusion, redact, at)) record(event);
    }
    void flush();
  };
  return { started: begun, end };
}
