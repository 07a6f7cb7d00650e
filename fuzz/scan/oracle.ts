/** The conversation of a parsed body, by the rules in the documentation. Shares no code with `src`. */
export type Api = "chat" | "messages" | "responses";

export type Expected = {
  readonly prompt: string | null;
  readonly promptCount: number;
  readonly earlierPromptCount: number;
  readonly correlatingToolCallId: string | null;
};

type Fields = Readonly<Record<string, unknown>>;
type Turn = { readonly author: "user" | "assistant" | "tool"; readonly fields: Fields };

const MAX_PROMPT = 20_480;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

export function expectedConversation(body: unknown, api: Api): Expected {
  const turns = turnsOf(body, api);
  const lastOfClient = turns.findLastIndex(({ author }) => author !== "assistant");
  const completed = turns
    .slice(0, Math.max(0, lastOfClient))
    .findLastIndex((turn) => turn.author === "assistant");
  const current = turns.slice(completed + 1);
  const texts = current.map((turn) => textsOf(turn, api));
  const earlier = turns.slice(0, completed + 1).filter((turn) => textsOf(turn, api).length > 0);
  return {
    prompt: texts.flat().join("\n").slice(0, MAX_PROMPT) || null,
    promptCount: texts.filter((list) => list.length > 0).length,
    earlierPromptCount: earlier.length,
    correlatingToolCallId: toolCallId(current, api),
  };
}

function turnsOf(body: unknown, api: Api): readonly Turn[] {
  const list = isFields(body) ? body[api === "responses" ? "input" : "messages"] : null;
  if (typeof list === "string")
    return api === "responses" ? [{ author: "user", fields: { content: list } }] : [];
  return listOf(list).flatMap((fields) => {
    const author = isFields(fields) ? authorOf(fields, api) : null;
    return isFields(fields) && author !== null ? [{ author, fields }] : [];
  });
}

function authorOf({ role, type }: Fields, api: Api): Turn["author"] | null {
  const person = role === "user" || role === "assistant" ? role : null;
  if (api === "messages") return person;
  if (api === "chat") return role === "tool" || role === "function" ? "tool" : person;
  if (type === undefined || type === null || type === "message") return person;
  if (typeof type !== "string") return null;
  return /_output$|^mcp_approval_response$|^compaction_trigger$/.test(type) ? "tool" : "assistant";
}

const WRAPPERS =
  /^(?:[ \t\r\n]*(?:<(system-reminder|environment_context|user_instructions|permissions instructions|skills_instructions|current_datetime|session_context)>[^]*?<\/\1>|# AGENTS\.md instructions[^]*?<\/INSTRUCTIONS>))+[ \t\r\n]*/;

function textsOf({ author, fields }: Turn, api: Api): readonly string[] {
  if (author !== "user") return [];
  const { content } = fields;
  const type = api === "responses" ? "input_text" : "text";
  const texts = typeof content === "string" ? [content] : partsOf(content, type).map((part) => part["text"]);
  return texts
    .filter((text) => typeof text === "string")
    .map((text) => text.replace(WRAPPERS, ""))
    .filter((text) => text !== "");
}

const partsOf = (content: unknown, type: string): readonly Fields[] =>
  listOf(content)
    .filter(isFields)
    .filter((part) => part["type"] === type);

function toolCallId(current: readonly Turn[], api: Api): string | null {
  const last = current.at(-1)?.fields;
  let id: unknown = null;
  if (api === "chat" && last?.["role"] === "tool") id = last["tool_call_id"];
  if (api === "responses" && String(last?.["type"]).endsWith("_call_output")) id = last?.["call_id"];
  if (api === "messages") {
    const users = current.filter(({ author }) => author === "user");
    id = users.flatMap(({ fields }) => partsOf(fields["content"], "tool_result")).at(-1)?.["tool_use_id"];
  }
  return typeof id === "string" && id !== "" ? id.slice(0, 256) : null;
}
