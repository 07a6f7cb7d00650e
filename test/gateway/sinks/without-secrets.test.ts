import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { withoutSecrets } from "../../../src/gateway/sinks/without-secrets.ts";
import type { Recorder } from "../../../src/gateway/sinks/recorder.ts";
import { createSecretFinder } from "../../../src/shared/secret-finder.ts";
import { START } from "../../support/in-workerd/events.ts";

const KEY = "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56";
const MARKER = "[redacted:configured]";
const secrets = createSecretFinder([{ name: "KEY", value: KEY }]);

function recorded(event: InterceptorEvent): InterceptorEvent | undefined {
  const events: InterceptorEvent[] = [];
  const recorder: Recorder = {
    record: (one) => void events.push(one),
    flush: () => Promise.resolve(true),
  };
  withoutSecrets(recorder, secrets, { found: false }).record(event);
  return events[0];
}

describe("Finding H3: a recorded event", () => {
  // The attack: a caller or a provider puts the gateway's key into a name, which is recorded as it is.
  it("has a secret in no field, list or object, and keeps the rest", () => {
    const event = {
      ...START,
      model: `a ${KEY}`,
      prompt_hashes: ["0f", KEY, "1e"],
      metadata: { actor_name: KEY },
    };
    expect(recorded(event)).toEqual({
      ...START,
      model: `a ${MARKER}`,
      prompt_hashes: ["0f", MARKER, "1e"],
      metadata: { actor_name: MARKER },
    });
    expect(event.prompt_hashes).toEqual(["0f", KEY, "1e"]);
  });

  it("is not copied where it has none", () => {
    expect(recorded(START)).toBe(START);
  });
});

it("a recorder without secrets to find is the recorder itself", () => {
  const recorder: Recorder = { record: () => undefined, flush: () => Promise.resolve(true) };
  expect(withoutSecrets(recorder, null, { found: false })).toBe(recorder);
});
