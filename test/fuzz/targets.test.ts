/** `npm run fuzz` with fewer cases: the same targets, always the same seed. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ENTRIES } from "../../fuzz/entries.ts";
import { openHouse, type House } from "../../fuzz/house.ts";
import { findingText } from "../../fuzz/report.ts";

const SEED = 20_261_126;

let house: House | null = null;
beforeAll(async () => void (house = await openHouse()));
afterAll(async () => house?.close());

/** What each target must have come across: a run that sees only one sort of case shows little. */
const SORTS: Readonly<Record<string, readonly string[]>> = {
  answers: ["chat", "messages", "responses"].flatMap((api) =>
    ["events, whole", "events, broken", "json, whole", "json, broken"].map((sort) => `${api} ${sort}`),
  ),
  removal: [
    "nothing to take out, whole",
    "nothing to take out, broken",
    "one taken out, whole",
    "one taken out, broken",
    "several taken out, whole",
  ],
  framing: ["no cap", "narrow cap"],
  bodies: ["spliced", "left as it is", "body_invalid", "field_invalid", "field_repeated"],
  headers: ["to the provider", "to the client"],
  configs: ["sound, taken", "wrong in known places, refused", "any values, refused"],
  streams: ["chat events, whole", "messages events, broken", "responses events, whole"],
  requests: [
    "sent: stranger",
    "sent: misplaced",
    "sent: known",
    "sent: smuggler",
    "calls that reached the provider",
    "answered: 200 forwarded, or ours",
    "answered: 400 by workerd",
    "answered: 400 body_incomplete",
    "answered: 401 credential_malformed",
    "answered: 401 credential_missing",
    "answered: 401 invalid_credential",
    "answered: 404 bad_path",
    "answered: 413 body_too_large",
    "closed without an answer",
  ],
};

describe(`random cases, seed ${SEED}`, () => {
  it.each(ENTRIES.map((entry) => [entry.name, entry] as const))(
    "%s: nothing is wrong with any, and there are all sorts",
    { timeout: 120_000 },
    async (name, { run, inSuite, each }) => {
      const span = { seed: SEED, from: 0, cases: inSuite / each, maxFindings: 1 };
      const { cases, sorts, findings } = await run(span, house);
      expect(findings.map(findingText).join("\n")).toBe("");
      expect(cases).toBe(inSuite / each);
      expect(SORTS[name]?.filter((sort) => (sorts.get(sort) ?? 0) === 0)).toEqual([]);
    },
  );
});
