/** Recognizes the texts that a client adds to a user message, such as its environment and its instruction files. */

/** A wrapper begins with `opens` and ends after the next `closes`. */
type Wrapper = { readonly opens: string; readonly closes: string };

const element = (name: string): Wrapper => ({ opens: `<${name}>`, closes: `</${name}>` });

/** The wrappers of each client. They apply to every request, because the client's name is only a hint. */
const CLIENT_WRAPPERS = {
  "Claude Code": [element("system-reminder")],
  Codex: [
    element("environment_context"),
    element("user_instructions"),
    element("permissions instructions"),
    element("skills_instructions"),
    { opens: "# AGENTS.md instructions", closes: "</INSTRUCTIONS>" },
  ],
  "Copilot CLI": [element("current_datetime")],
  "Gemini CLI": [element("session_context")],
} as const satisfies Readonly<Record<string, readonly Wrapper[]>>;

const WRAPPERS: readonly Wrapper[] = Object.values(CLIENT_WRAPPERS).flat();

/**
 * The text without the wrappers at its start, or "" if nothing else is left. A wrapper that is not closed, or that follows
 * other text, stays: the user may have written it. Takes time linear in the text's length, since no search goes back.
 */
export function withoutScaffolding(text: string): string {
  let start = 0;
  for (;;) {
    const at = skipBlanks(text, start);
    const wrapper = WRAPPERS.find(({ opens }) => text.startsWith(opens, at));
    const end = wrapper === undefined ? -1 : text.indexOf(wrapper.closes, at + wrapper.opens.length);
    if (wrapper === undefined || end < 0) return start === 0 ? text : text.slice(at);
    start = end + wrapper.closes.length;
  }
}

/** The first position from `at` on that holds no space, tab, line feed or carriage return. */
function skipBlanks(text: string, at: number): number {
  let position = at;
  while (position < text.length && " \t\r\n".includes(text.charAt(position))) position += 1;
  return position;
}
