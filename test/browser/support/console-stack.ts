/** Both Workers as `npm start` runs them, on free ports and with a database of their own, with content recorded. */
import { entryFor, sha256 } from "../../../tools/client-key.ts";
import { twoFreePorts } from "../../../tools/local/ports.ts";
import { chooseLocalSetup, startStack, type Stack } from "../../../tools/local/stack.ts";
import { localKeyEntries } from "../../../tools/local-keys.ts";
import { HOSTILE_NAME } from "./hostile.ts";

/** Reads records, but neither content nor may it change anything. */
export const READER_TOKEN = "aei_admin-canary-reader-0123456789-0123456789-012345";

/** The client key of a service whose name an attacker chose. */
export const MALLORY_KEY = "aei_local-canary-mallory-0123456789-0123456789-0123";

export const RECORDING = { prompts: true, tool_inputs: true, thoughts: true, error_messages: true };

export type ConsoleChanges = {
  /** Keys of `CONSOLE`, besides `origins` and `tokens`. */
  readonly console?: Readonly<Record<string, unknown>>;
  /** Further variables and secrets of the records Worker. */
  readonly records?: Readonly<Record<string, string>>;
};

export async function startConsole(changes: ConsoleChanges = {}): Promise<Stack> {
  const [port, providerPort] = await twoFreePorts();
  const options = { port, providerPort, isolated: true, onEvent: () => undefined, onNotice: () => undefined };
  const setup = chooseLocalSetup(options);
  const { gateway, records } = setup.vars;
  const mallory = entryFor(MALLORY_KEY, {
    actor: "mallory",
    kind: "service",
    name: HOSTILE_NAME,
    assert: true,
  });
  const tokens = { reader: { sha256: sha256(READER_TOKEN), scopes: ["read"] } };
  const vars = {
    gateway: {
      ...gateway,
      RECORDING: JSON.stringify(RECORDING),
      CLIENT_KEYS: JSON.stringify([...localKeyEntries(), mallory]),
    },
    records: {
      ...records,
      ...changes.records,
      CONSOLE: JSON.stringify({ origins: [`http://127.0.0.1:${port}`], tokens, ...changes.console }),
    },
  };
  return startStack(options, { ...setup, vars }, new AbortController().signal);
}
