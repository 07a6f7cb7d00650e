/** The text that `npm start` prints once everything runs: commands and settings that work as printed. */
import { styleText } from "node:util";
import { LOCAL_ADMIN_TOKEN, LOCAL_KEYS } from "../local-keys.ts";
import type { Setup } from "./dev-vars.ts";
import { verifierKeyText } from "./verifier-key.ts";

/** A user's id as Coder sends it. */
const SOME_OWNER = "5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5";

/** A base URL and a key for it. */
type Endpoint = { readonly base: string; readonly key: string };

/** `verifierKey`: of the log of seals, where this run signs it with its own key. */
export function whatToTry(url: string, setup: Setup, verifierKey: string | null = null): string {
  const emulated = setup.mode === "emulated";
  const anyKey = emulated && setup.accepts.byok;
  const to = (type: string): Endpoint | undefined => {
    const named = Object.keys(setup.providers).filter((name) => setup.providers[name]?.type === type);
    // The second emulated provider has a central key, for clients without a provider key.
    const name = emulated && !anyKey ? named[1] : named[0];
    const key = anyKey ? "any-key" : credentialOf(setup);
    return name === undefined ? undefined : { base: `${url}/${name}`, key };
  };
  const openai = to("openai");
  const anthropic = to("anthropic");
  // With the emulated provider the commands use a client key, the clients below any key.
  const shown = emulated ? { base: `${url}/team-openai`, key: credentialOf(setup) } : openai;
  const clients = [openai && openAiClients(openai), anthropic && anthropicClients(anthropic)];
  const sections = [
    `${styleText("bold", "AI Edge Interceptor")} on ${url}\n${introduction(setup)}`,
    shown && titled("OpenAI chat, streamed", chatCurl(shown)),
    shown && titled("The same as Coder Agents, on the account of one of its users", agentsCurl(shown)),
    !shown && anthropic && titled("Messages, streamed", messagesCurl(anthropic)),
    titled("Clients", clients.filter(Boolean).join("\n")),
    titled("The records", records(url, setup)),
    titled(
      "The console",
      [consoleText(url, setup), verifierKey && verifierKeyText(verifierKey)].filter(Boolean).join("\n"),
    ),
    styleText("dim", "Every event is printed below. Ctrl-C stops everything."),
  ];
  return `\n${sections.filter(Boolean).join("\n\n")}\n`;
}

function titled(title: string, text: string): string {
  return `${styleText("bold", title)}\n${text}`;
}

/** The credential for a provider with a central key. */
function credentialOf({ mode, accepts, ownClientKeys, clientKey }: Setup): string {
  if (!accepts.keys) return "<credential>";
  if (ownClientKeys) return "<client key>";
  return clientKey ?? (mode === "emulated" ? LOCAL_KEYS.coderAgents.key : "<client key>");
}

function introduction(setup: Setup): string {
  const names = Object.keys(setup.providers).join(", ");
  switch (setup.mode) {
    case "emulated": {
      const anyKey =
        "openai, anthropic and azure accept any key as its own actor; the team- providers require a client key.\n";
      const what = `The provider is emulated: no AI model is called. Providers: ${names}.\n`;
      return `${what}${setup.accepts.byok ? anyKey : ""}${clientKeys(setup)}`;
    }
    case "real":
      return `The real providers, with the keys of .dev.vars: ${names}. Requests cost money.\n${clientKeys(setup)}`;
    case "own":
      return `The providers of PROVIDERS in .dev.vars: ${names}.\n${clientKeys(setup)}`;
  }
}

function clientKeys({ accepts, ownClientKeys, clientKey }: Setup): string {
  if (!accepts.keys) return "Accepted credentials: see IDENTITY in .dev.vars.";
  if (ownClientKeys) return "Client keys: those of .dev.vars.";
  if (clientKey !== undefined) return `Client key, for this run only: ${clientKey}`;
  const local = Object.values(LOCAL_KEYS).map(({ key, does }) => `  ${key}  ${does}`);
  return ["Client keys:", ...local].join("\n");
}

function records(url: string, { adminToken }: Setup): string {
  const curl = `curl ${url}/api/v2/ai-gateway/sessions -H "Authorization: Bearer ${adminToken ?? "<admin token>"}"`;
  if (adminToken === undefined)
    return `${curl}\nThe admin token is the one whose SHA-256 is in .dev.vars.records.`;
  // The report knows the local token.
  const token = adminToken === LOCAL_ADMIN_TOKEN ? "" : `INTERCEPTOR_ADMIN_TOKEN=${adminToken} `;
  return `${token}npm run report -- --url ${url}\n${curl}`;
}

function consoleText(url: string, { adminToken }: Setup): string {
  const token = adminToken ?? "the admin token whose SHA-256 is in .dev.vars.records";
  return `${url}/console in a browser; sign in with ${token}`;
}

function chatCurl({ base, key }: Endpoint): string {
  return `curl -N ${base}/v1/chat/completions \\
  -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" \\
  -d '{"model":"gpt-5.1","stream":true,"messages":[{"role":"user","content":"Hello there"}]}'`;
}

function messagesCurl({ base, key }: Endpoint): string {
  return `curl -N ${base}/v1/messages \\
  -H "X-Api-Key: ${key}" -H "Anthropic-Version: 2023-06-01" -H "Content-Type: application/json" \\
  -d '{"model":"claude-haiku-4-5","max_tokens":200,"stream":true,"messages":[{"role":"user","content":"Hello there"}]}'`;
}

export function agentsCurl(endpoint: Endpoint, owner = SOME_OWNER): string {
  return `${chatCurl(endpoint)} \\
  -A "coder-agents/v2.30.0 (linux/amd64)" -H "X-Coder-Owner-Id: ${owner}"`;
}

function openAiClients({ base, key }: Endpoint): string {
  return `OpenAI SDK     Python  OpenAI(base_url="${base}/v1", api_key="${key}")
               JS      new OpenAI({ baseURL: "${base}/v1", apiKey: "${key}" })
Codex          in ~/.codex/config.toml, and OPENAI_API_KEY=${key}
               model_provider = "interceptor"
               [model_providers.interceptor]
               name = "AI Edge Interceptor"
               base_url = "${base}/v1"
               wire_api = "responses"
               env_key = "OPENAI_API_KEY"`;
}

function anthropicClients({ base, key }: Endpoint): string {
  return `Anthropic SDK  Python  Anthropic(base_url="${base}", api_key="${key}")
               JS      new Anthropic({ baseURL: "${base}", apiKey: "${key}" })
Claude Code    ANTHROPIC_BASE_URL=${base} ANTHROPIC_API_KEY=${key} claude`;
}
