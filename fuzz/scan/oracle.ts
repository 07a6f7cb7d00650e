/** The conversation of a parsed body, by the rules in the documentation. Shares no code with `src`. */
export type Api = "chat" | "messages" | "responses";

export type Expected = {
  readonly prompt: string | null;
  readonly promptCount: number;
  readonly earlierPromptCount: number;
  readonly correlatingToolCallId: string | null;
  /** The last 20 texts of each. */
  readonly texts: { readonly current: readonly string[]; readonly earlier: readonly string[] };
};

type Fields = Readonly<Record<string, unknown>>;
type Turn = {
  readonly author: "user" | "assistant" | "tool";
  readonly fields: Fields;
  /** Of the Responses API. */
  readonly isItem: boolean;
};

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
  const texts = current.map((turn) => textsOf(turn));
  const earlier = turns.slice(0, completed + 1).filter((turn) => textsOf(turn).length > 0);
  return {
    prompt: texts.flat().join("\n").slice(0, MAX_PROMPT) || null,
    promptCount: texts.filter((list) => list.length > 0).length,
    earlierPromptCount: earlier.length,
    correlatingToolCallId: toolCallId(current, api),
    texts: { current: lastTexts(current), earlier: lastTexts(earlier) },
  };
}

const lastTexts = (turns: readonly Turn[]): readonly string[] =>
  turns
    .flatMap(textsOf)
    .slice(-20)
    .map((text) => text.slice(0, 2 * MAX_PROMPT));

const userTurn = (content: unknown): Turn => ({ author: "user", fields: { content }, isItem: false });

function turnsOf(body: unknown, api: Api): readonly Turn[] {
  const list = isFields(body) ? body[api === "responses" ? "input" : "messages"] : null;
  if (typeof list === "string") return api === "responses" ? [userTurn(list)] : [];
  return oneOrMore(list).flatMap((fields) => {
    if (typeof fields === "string" && api === "responses") return [userTurn(fields)];
    const author = isFields(fields) ? authorOf(fields, api) : null;
    return isFields(fields) && author !== null ? [{ author, fields, isItem: api === "responses" }] : [];
  });
}

/** Any role but those of models, tools and instructions is the user's. */
function authorOf({ role, type }: Fields, api: Api): Turn["author"] | null {
  const isPerson = typeof role === "string" && role !== "system" && role !== "developer";
  const person = role === "assistant" ? "assistant" : isPerson ? "user" : null;
  if (api === "messages") return person;
  if (api === "chat") return role === "tool" || role === "function" ? "tool" : person;
  if (typeof role === "string") return person;
  if (typeof type !== "string" || /^(?:additional_tools|configuration_update|message)$/.test(type))
    return null;
  if (/_output$|^(?:mcp_approval_response|compaction_trigger|agent_message)$/.test(type)) return "tool";
  return /^(?:text$|input_)/.test(type) ? "user" : "assistant";
}

const WRAPPERS = new RegExp(
  String.raw`^(?:[ \t\r\n]*(?:<(${[
    "system-reminder|task-notification|local-command-caveat|local-command-stdout|local-command-stderr|bash-stdout|bash-stderr",
    "environment_context|user_instructions|permissions instructions|skills_instructions|skill|user_shell_command",
    "environment_details|environment_info|workspace_info|reminderInstructions|turn_aborted|subagent_notification|current_datetime|session_context|qwen:user-prompt-submit-context",
  ].join("|")})>[^]*?</\1>|# AGENTS\.md instructions[^]*?</INSTRUCTIONS>))+[ \t\r\n]*`,
);

/** Items of the Responses API may be parts, which have a text in place of a content. */
function contentOf({ author, fields, isItem }: Turn): unknown {
  if (author !== "user") return null;
  const isPart = isItem && !("content" in fields) && typeof fields["text"] === "string";
  return fields[isPart ? "text" : "content"];
}

/** The text of a part, regardless of its type and of the key that it is under. */
function textIn(part: unknown): unknown {
  if (!isFields(part)) return part;
  return typeof part["text"] === "string" || part["type"] === "tool_result" ? part["text"] : part["content"];
}

/** Some servers take one thing in place of a list. */
const oneOrMore = (value: unknown): readonly unknown[] => (isFields(value) ? [value] : listOf(value));

function textsOf(turn: Turn): readonly string[] {
  const content = contentOf(turn);
  const texts = typeof content === "string" ? [content] : oneOrMore(content).map(textIn);
  return texts
    .filter((text) => typeof text === "string")
    .map((text) => text.replace(WRAPPERS, ""))
    .filter((text) => text !== "");
}

/** A message that has only what the client added. */
function isScaffolding(turn: Turn, api: Api): boolean {
  const content = contentOf(turn);
  if (textsOf(turn).length > 0) return false;
  if (typeof content === "string") return true;
  const type = api === "responses" ? "input_text" : "text";
  const parts = oneOrMore(content);
  const isText = (part: unknown): boolean =>
    typeof textIn(part) === "string" || (isFields(part) && part["type"] === type);
  return parts.length > 0 && parts.every(isText);
}

function toolCallId(current: readonly Turn[], api: Api): string | null {
  let id: unknown = null;
  for (const turn of current.filter((one) => !isScaffolding(one, api))) {
    const { fields } = turn;
    const type = api === "responses" ? fields["type"] : null;
    if (api === "messages") {
      const results = oneOrMore(contentOf(turn)).filter(
        (part) => isFields(part) && part["type"] === "tool_result",
      );
      const last = results.at(-1);
      if (isFields(last)) id = last["tool_use_id"];
    } else if (api === "chat") id = fields["role"] === "tool" ? fields["tool_call_id"] : null;
    else if (type !== "agent_message") id = String(type).endsWith("_call_output") ? fields["call_id"] : null;
  }
  return typeof id === "string" && id !== "" ? id.slice(0, 256) : null;
}
