/** Requests of every kind, through the gateway: the ledger's rows behind each page. */
import { waitForDelivery } from "../../../tools/local/undelivered.ts";
import { LOCAL_KEYS } from "../../../tools/local-keys.ts";
import { MALLORY_KEY } from "./console-stack.ts";
import { HOSTILE_TEXT, HOSTILE_TOKEN, MEGABYTE } from "./hostile.ts";

export const ADA = "ada10000-1815-4a10-8a00-00000000ada1";
export const GRACE = "c0b01000-1906-4c0b-9c0b-00000000c0b0";
export const CHAT = "3f2a6c1e-8d47-4b5a-9c10-2e6f7a8b9c0d";
export const ADAS_PROMPT = "Plan the next release.";

const AGENTS = { "user-agent": "coder-agents/v2.30.0 (linux/amd64)" };
const TEAM = "/team-openai/v1/chat/completions";

type Call = {
  readonly path?: string;
  readonly key: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly model?: string;
  readonly prompt: string;
  readonly tools?: readonly string[];
  /** The limit of output, by which budgets reserve. */
  readonly maxTokens?: number;
};

/** Sends one chat completion. Resolves with the id of its interception, once the response has ended. */
export async function send(url: string, call: Call): Promise<string> {
  const { path = TEAM, key, headers = {}, model = "gpt-5.1", prompt, tools = [], maxTokens = 200 } = call;
  const response = await fetch(url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
    body: JSON.stringify({
      model,
      max_tokens: maxTokens,
      messages: [{ role: "user", content: prompt }],
      ...(tools.length > 0 && {
        tools: tools.map((name) => ({
          type: "function",
          function: { name, parameters: { type: "object" } },
        })),
      }),
    }),
  });
  await response.arrayBuffer();
  return response.headers.get("x-interception-id") ?? "";
}

/** Resolves once the ledger has everything that was sent before. */
export async function untilRecorded(url: string): Promise<void> {
  const rest = await waitForDelivery(url, { withinMs: 60_000, onWait: () => undefined });
  if (rest !== null) throw new Error("The events did not reach the ledger.");
}

export async function sendTraffic(url: string): Promise<void> {
  const { coderAgents, alice } = LOCAL_KEYS;
  const agents = (owner: string, prompt: string): Call => ({
    key: coderAgents.key,
    headers: { ...AGENTS, "x-coder-owner-id": owner, "x-coder-chat-id": CHAT },
    prompt,
  });
  const calls: readonly Call[] = [
    agents(ADA, ADAS_PROMPT),
    { ...agents(ADA, "Use read_file, please."), tools: ["read_file"] },
    { ...agents(GRACE, "Find the bug."), headers: { ...AGENTS, "x-coder-owner-id": GRACE } },
    { ...agents("not-a-uuid", "Who am I?") },
    // No source verifies this key: the owner is only claimed.
    {
      path: "/openai/v1/chat/completions",
      key: "sk-any-key",
      headers: { ...AGENTS, "x-coder-owner-id": ADA },
      prompt: "Who am I?",
    },
    {
      key: alice.key,
      headers: { "user-agent": "codex_exec/0.169.0 (Linux)" },
      prompt: "Review this function.",
    },
    // The second call is refused: a refusal of a verified actor is counted at once, others only after a while.
    { key: alice.key, model: "gpt-5.1-codex", prompt: "Spend the budget of the day.", maxTokens: 1000 },
    { key: alice.key, model: "gpt-5.1-codex", prompt: "There is none left.", maxTokens: 1000 },
    { key: alice.key, model: "a-model-without-a-price", prompt: "What does it cost?" },
    { key: "aei_local-canary-unknown-0123456789-0123456789-0123", prompt: "Let me in." },
    ...hostileCalls(),
  ];
  for (const call of calls) await send(url, call);
  await fetch(`${url}/team-openai/v1/models`, { headers: { authorization: `Bearer ${alice.key}` } }).then(
    (one) => one.arrayBuffer(),
  );
  await untilRecorded(url);
}

/** A caller whose prompts, model and ids are an attack on the reader of the console. */
const hostileCalls = (): readonly Call[] => [
  { key: MALLORY_KEY, headers: AGENTS, prompt: HOSTILE_TEXT },
  { key: MALLORY_KEY, model: HOSTILE_TEXT, prompt: "The model is the attack." },
  {
    key: MALLORY_KEY,
    headers: { "user-agent": HOSTILE_TOKEN, "x-coder-chat-id": HOSTILE_TOKEN, "x-session-id": HOSTILE_TOKEN },
    prompt: MEGABYTE,
  },
];
