/** Runs every target of `npm run fuzz` with fewer cases and a fixed seed. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ENTRIES } from "../../fuzz/entries.ts";
import { startGateway, type Gateway } from "../../fuzz/gateway.ts";
import { findingText } from "../../fuzz/report.ts";

const SEED = 20_261_126;

let gateway: Gateway | null = null;
beforeAll(async () => void (gateway = await startGateway()));
afterAll(async () => gateway?.close());

/** The categories that each target must cover: a run that covers one category proves little. */
const CATEGORIES: Readonly<Record<string, readonly string[]>> = {
  responses: ["chat", "messages", "responses"].flatMap((api) =>
    ["events, intact", "events, damaged", "json, intact", "json, damaged"].map((kind) => `${api} ${kind}`),
  ),
  "usage-removal": [
    "none removed, intact",
    "none removed, damaged",
    "one removed, intact",
    "one removed, damaged",
    "several removed, intact",
  ],
  framing: ["no cap", "narrow cap"],
  bodies: ["usage injected", "unchanged", "body_invalid", "field_invalid", "field_repeated"],
  scan: [
    "accepted with a prompt",
    "accepted without a prompt",
    "body_invalid",
    "field_invalid",
    "field_repeated",
    "field_repeated in an entry",
  ],
  headers: ["to the provider", "to the client"],
  configs: ["gateway", "records"].flatMap((worker) =>
    ["valid, accepted", "known faults, rejected", "arbitrary values, rejected"].map(
      (kind) => `${worker}, ${kind}`,
    ),
  ),
  streams: ["chat events, intact", "messages events, damaged", "responses events, intact"],
  requests: [
    "sent: unauthenticated",
    "sent: misplaced",
    "sent: authenticated",
    "sent: smuggler",
    "calls that reached the provider",
    "response: 200 forwarded or gateway",
    "response: 400 workerd",
    "response: 400 body_incomplete",
    "response: 401 credential_malformed",
    "response: 401 credential_missing",
    "response: 401 invalid_credential",
    "response: 404 bad_path",
    "response: 413 body_too_large",
    "closed without a response",
  ],
};

describe(`random cases, seed ${SEED}`, () => {
  it.each(ENTRIES.map((entry) => [entry.name, entry] as const))(
    "%s: finds no failure and covers every category",
    { timeout: 120_000 },
    async (name, { run, inSuite, unitsPerCase }) => {
      const range = { seed: SEED, from: 0, cases: inSuite / unitsPerCase, maxFindings: 1 };
      const { cases, categories, findings } = await run(range, gateway);
      expect(findings.map(findingText).join("\n")).toBe("");
      expect(cases).toBe(inSuite / unitsPerCase);
      expect(CATEGORIES[name]?.filter((category) => (categories.get(category) ?? 0) === 0)).toEqual([]);
    },
  );
});
