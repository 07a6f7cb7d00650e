/** Gateways with budgets over real budget objects, each with objects of its own, and a provider that reports what it used. */
import { env } from "cloudflare:workers";
import { sha256Hex } from "../../../src/shared/digest.ts";
import type { Deps } from "../../../src/gateway/app/deps.ts";
import { json } from "./calls.ts";
import { openGateway, type Gateway, type Provider } from "./gateway-harness.ts";
import { alice, clientKeys } from "./object-store.ts";

export const { BUDGET_OBJECTS } = env as unknown as { readonly BUDGET_OBJECTS: DurableObjectNamespace };

export const CHAT_PATH = "/central/v1/chat/completions";
export const MESSAGES_PATH = "/claude/v1/messages";

/** gpt-4o costs 2.50 and 10 dollars per million tokens. */
export const usageResponse = (input: number, output: number, model = "gpt-4o"): Response =>
  json(
    JSON.stringify({
      id: "chatcmpl-1",
      object: "chat.completion",
      model,
      choices: [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }],
      usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
    }),
  );

/** `extra`: further JSON members, each with a comma before it. */
export const chatBody = (extra = "", model = "gpt-4o"): string =>
  `{"model":"${model}","messages":[{"role":"user","content":"hi"}]${extra}}`;

export type BudgetSetup = {
  readonly budgets?: Record<string, unknown>;
  readonly limits?: Record<string, unknown>;
  readonly provider?: Provider;
  readonly vars?: Record<string, unknown>;
  readonly objects?: unknown;
  readonly parts?: Partial<Deps>;
};

export async function openWithBudgets({
  budgets,
  limits,
  provider = () => usageResponse(100, 100),
  vars = {},
  objects = BUDGET_OBJECTS,
  parts = {},
}: BudgetSetup): Promise<Gateway> {
  const gateway = await openGateway({
    provider,
    parts,
    vars: {
      PROVIDERS: {
        central: { type: "openai", base_url: "https://central.example/v1", keys: ["CENTRAL_KEY"] },
        claude: { type: "anthropic", base_url: "https://api.anthropic.example", keys: ["CENTRAL_KEY"] },
        own: { type: "openai", base_url: "https://central.example/v1" },
      },
      OWNER_ASSERTION: { source: "keys" },
      CLIENT_KEYS: await clientKeys(),
      BUDGET_OBJECTS: objects,
      // Other objects than those of every other gateway.
      BUDGET_KEY: await sha256Hex(crypto.randomUUID()),
      ...(budgets ? { BUDGETS: budgets } : {}),
      ...(limits ? { RATE_LIMITS: limits } : {}),
      ...vars,
    },
  });
  return gateway;
}

export type ChatResult = {
  readonly status: number;
  readonly code: string | null;
  readonly message: string;
  readonly headers: Headers;
};

/** Sends a chat request, and waits until it is charged. */
export async function chat(
  gateway: Gateway,
  body = chatBody(),
  headers: Record<string, string> = alice,
  path = CHAT_PATH,
): Promise<ChatResult> {
  // Randomness is fixed: the time tells the ids of interceptions apart.
  gateway.clock.at += 1;
  const sent = { ...headers, "content-type": "application/json" };
  const { response, text } = await gateway.exchange(path, { method: "POST", headers: sent, body });
  const { error } = JSON.parse(text || "{}") as { readonly error?: { readonly message?: string } };
  return {
    status: response.status,
    code: response.headers.get("x-interceptor-error"),
    message: error?.message ?? "",
    headers: response.headers,
  };
}

/** The state of the one object that the gateway has used, in micro-dollars: a call that is too expensive for it names them. */
export async function stateOf(
  gateway: Gateway,
  path = CHAT_PATH,
): Promise<{ readonly spent: number; readonly reserved: number }> {
  const { message } = await chat(gateway, chatBody(',"max_tokens":16000,"n":100'), alice, path);
  const [, spent = "", reserved = ""] = /: \$([\d.]+) of .* used, \$([\d.]+) reserved/.exec(message) ?? [];
  return { spent: Math.round(Number(spent) * 1e6), reserved: Math.round(Number(reserved) * 1e6) };
}
