/** The people and services of the demonstration, all invented, and the settings that its records need. */
import { entryFor, type KeyHolder } from "../client-key.ts";
import { LOCAL_KEYS, localKeyEntries } from "../local-keys.ts";
import type { Setup } from "../local/dev-vars.ts";

export type Person = {
  readonly id: string;
  readonly username: string;
  readonly status: "active" | "suspended";
};

/** Users of Coder, whom Coder Agents names by id. */
export const ADA = "ada10000-1815-4a10-8a00-00000000ada1";
export const GRACE = "c0b01000-1906-4c0b-9c0b-00000000c0b0";
export const MEI = "3e1a7c52-90d4-4f6b-a8c3-5b7d2e94f016";
export const TOMAS = "7b92d0e4-1f58-4a3c-9e67-c40a8d15b3f2";
/** Left the company: the account is suspended. */
export const JONAS = "d5c81f36-2b7e-4490-8a1d-e6f3092b7c58";
/** Not a user of the directory. */
export const UNKNOWN_USER = "00c0ffee-5a17-4b2d-b3e9-41d6f8a07c95";

export const PEOPLE: readonly Person[] = [
  { id: ADA, username: "ada.larsen", status: "active" },
  { id: GRACE, username: "grace.okafor", status: "active" },
  { id: MEI, username: "mei.tanaka", status: "active" },
  { id: TOMAS, username: "tomas.herrera", status: "active" },
  { id: JONAS, username: "jonas.weiss", status: "suspended" },
];

type DemoKey = { readonly key: string; readonly holder: KeyHolder };

/** Public, as those of tools/local-keys.ts, and accepted only in the demonstration. */
export const KEYS = {
  ...LOCAL_KEYS,
  docs: {
    key: "aei_local-docs-service-that-writes-release-notes",
    holder: { actor: "docs-service", kind: "service", name: "Release notes", assert: false },
  },
  ben: {
    key: "aei_local-ben-a-user-with-a-key-of-his-own-00000",
    holder: { actor: "ben", kind: "user", name: "Ben Ortiz" },
  },
} as const satisfies Readonly<Record<string, DemoKey>>;

/** Alice has money for one call a day of the first model (tools/local/dev-vars.ts), each person for a few of the second. */
const OPUS_BUDGET = { dollars: 0.15, period: "day", models: ["claude-opus-4-8"] };

/** Content is recorded, owners are looked up in the directory, and one more model has a budget. */
export function demoSetup(setup: Setup, directoryUrl: string): Setup {
  const { gateway, records } = setup.vars;
  const recording = { prompts: true, tool_inputs: true, thoughts: true, error_messages: true };
  return {
    ...setup,
    vars: {
      records,
      gateway: {
        ...gateway,
        CLIENT_KEYS: JSON.stringify([
          ...localKeyEntries(),
          ...[KEYS.docs, KEYS.ben].map(({ key, holder }) => entryFor(key, holder)),
        ]),
        BUDGETS: JSON.stringify({ ...budgetsOf(gateway), "opus-daily": OPUS_BUDGET }),
        OWNER_ASSERTION: JSON.stringify({ directory: { url: directoryUrl, token: "DIRECTORY_TOKEN" } }),
        DIRECTORY_TOKEN: "demo-directory-token-that-reads-invented-users",
        RECORDING: JSON.stringify(recording),
      },
    },
  };
}

const budgetsOf = ({ BUDGETS = "{}" }: Readonly<Record<string, string>>): object =>
  JSON.parse(BUDGETS) as object;
