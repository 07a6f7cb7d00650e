/** Recognizes the texts that a client adds to a user message, such as its environment and its instruction files. */
import { takeText, type NextPiece } from "./json-text.ts";

/** A wrapper begins with `opens` and ends after the next `closes`. */
type Wrapper = { readonly opens: string; readonly closes: string };

const element = (name: string): Wrapper => ({ opens: `<${name}>`, closes: `</${name}>` });

/** The wrappers of each client. They apply to every request, because the client's name is only a hint. */
const CLIENT_WRAPPERS = {
  "Claude Code": [
    element("system-reminder"),
    element("task-notification"),
    // The output of commands that the user ran without the model. The text that the user typed stays.
    element("local-command-caveat"),
    element("local-command-stdout"),
    element("local-command-stderr"),
    element("bash-stdout"),
    element("bash-stderr"),
  ],
  Codex: [
    element("environment_context"),
    element("user_instructions"),
    element("permissions instructions"),
    element("skills_instructions"),
    { opens: "# AGENTS.md instructions", closes: "</INSTRUCTIONS>" },
    element("skill"),
    element("user_shell_command"),
    element("turn_aborted"),
    element("subagent_notification"),
  ],
  // Also of Roo Code and Kilo Code.
  Cline: [element("environment_details")],
  "GitHub Copilot (VS Code)": [
    element("environment_info"),
    element("workspace_info"),
    element("reminderInstructions"),
  ],
  "Copilot CLI": [element("current_datetime")],
  "Gemini CLI": [element("session_context")],
  // Its reminders are those of Claude Code.
  "Qwen Code": [element("qwen:user-prompt-submit-context")],
} as const satisfies Readonly<Record<string, readonly Wrapper[]>>;

const WRAPPERS: readonly Wrapper[] = Object.values(CLIENT_WRAPPERS).flat();

const LONGEST_OPENS = Math.max(...WRAPPERS.map(({ opens }) => opens.length));

const BLANKS = " \t\r\n";

/** The characters with which scaffolding can begin. */
export const SCAFFOLDING_STARTS = BLANKS + WRAPPERS.map(({ opens }) => opens.charAt(0)).join("");

/**
 * The first `max` units of the text without the wrappers at its start, or "" if nothing else is left. A wrapper that is
 * not closed, or that follows other text, stays: the user may have written it. `open` reads the text from its beginning.
 */
export function withoutScaffolding(open: () => NextPiece, max: number): string {
  const window = new TextWindow(open());
  const length = scaffoldingLength(window);
  // The window is past that length where it has looked for the end of a wrapper.
  return window.position === length ? window.take(max) : takeText(open(), length, max);
}

/** Takes time linear in the text's length, since no search goes back. */
function scaffoldingLength(window: TextWindow): number {
  for (let isFirst = true; ; isFirst = false) {
    window.skipBlanks();
    const start = window.position;
    window.need(LONGEST_OPENS);
    const wrapper = WRAPPERS.find(({ opens }) => window.text.startsWith(opens));
    if (wrapper === undefined) return isFirst ? 0 : start;
    window.drop(wrapper.opens.length);
    if (!window.skipPast(wrapper.closes)) return isFirst ? 0 : start;
  }
}

/** The part of a text that is looked at. */
class TextWindow {
  text = "";
  /** Where the window begins in the text. */
  position = 0;
  readonly #next: NextPiece;

  constructor(next: NextPiece) {
    this.#next = next;
  }

  /** Extends the window to `length` units, if the text has as many. */
  need(length: number): void {
    while (this.text.length < length && this.#extend());
  }

  drop(length: number): void {
    this.text = this.text.slice(length);
    this.position += length;
  }

  /** The first `max` units from the window's start on. */
  take(max: number): string {
    return this.text.slice(0, max) + takeText(this.#next, 0, max - this.text.length);
  }

  /** Drops spaces, tabs, line feeds and carriage returns. */
  skipBlanks(): void {
    do {
      let at = 0;
      while (at < this.text.length && BLANKS.includes(this.text.charAt(at))) at += 1;
      this.drop(at);
    } while (this.text === "" && this.#extend());
  }

  /** Drops everything up to the end of `mark`; false if the text does not have it. */
  skipPast(mark: string): boolean {
    for (;;) {
      const at = this.text.indexOf(mark);
      if (at >= 0) {
        this.drop(at + mark.length);
        return true;
      }
      // The mark may begin in this piece and end in the next one.
      this.drop(Math.max(0, this.text.length - mark.length + 1));
      if (!this.#extend()) return false;
    }
  }

  #extend(): boolean {
    const piece = this.#next();
    this.text += piece;
    return piece !== "";
  }
}
