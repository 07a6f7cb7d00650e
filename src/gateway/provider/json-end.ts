/** Finds the end of a JSON object or array that arrives in pieces, without parsing it. */

/**
 * `empty`: only blanks so far. `open`: an object or array has begun. `complete`: it has ended. `other`: the text is none, or
 * goes on after its end.
 */
export type JsonState = "empty" | "open" | "complete" | "other";

export class JsonEnd {
  #state: JsonState = "empty";
  #depth = 0;
  #inString = false;
  #escaped = false;

  get state(): JsonState {
    return this.#state;
  }

  /** A piece that is an object instead of a text is a whole value. Other values are ignored. */
  add(piece: unknown): void {
    if (typeof piece === "object" && piece !== null) {
      this.#state = this.#state === "empty" ? "complete" : "other";
    } else if (typeof piece === "string") {
      for (let at = 0; at < piece.length && this.#state !== "other"; at += 1) this.#read(piece.charAt(at));
    }
  }

  #read(character: string): void {
    if (this.#inString) this.#readInString(character);
    else if (character === '"' && this.#depth > 0) this.#inString = true;
    else if (character === "{" || character === "[") this.#open();
    else if (this.#depth > 0) {
      if (character === "}" || character === "]") this.#depth -= 1;
      if (this.#depth === 0) this.#state = "complete";
    } else if (!" \t\r\n".includes(character)) this.#state = "other";
  }

  #open(): void {
    this.#state = this.#state === "complete" ? "other" : "open";
    this.#depth += 1;
  }

  #readInString(character: string): void {
    if (this.#escaped) this.#escaped = false;
    else if (character === "\\") this.#escaped = true;
    else if (character === '"') this.#inString = false;
  }
}

/** Whether the value adds to a JSON text: an object, or a text that is not blank. */
export function hasJsonText(value: unknown): boolean {
  return typeof value === "string" ? /[^ \t\r\n]/.test(value) : typeof value === "object" && value !== null;
}
