/**
 * Reads unchecked settings field by field. Every problem is collected with the path of its key, none stops the
 * reading, and no value is ever quoted: it may be a secret put in the wrong place.
 */
import type { ReportIssue } from "../gateway/identity/identity.ts";

const SECRET_NAME = /^[A-Z][A-Z0-9_]*$/;

export type Table = Readonly<Record<string, unknown>>;

/** A table, given as a TOML table or as the same in a JSON string; null after reporting what it is instead. */
export function asTable(value: unknown, path: string, problems: ReportIssue): Table | null {
  const table = fromJson(value);
  if (typeof table === "object" && table !== null && !Array.isArray(table)) return table as Table;
  problems(path, "is neither a table nor a JSON object");
  return null;
}

/** A list of tables, likewise. */
export function asList(value: unknown, path: string, problems: ReportIssue): readonly unknown[] | null {
  const list = fromJson(value);
  if (Array.isArray(list)) return list;
  problems(path, "is neither an array nor a JSON array");
  return null;
}

/** A text that is JSON as what it says; anything else as it is. */
export function fromJson(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** One table's fields. Each reader marks its key as known; `done` reports the rest. */
export class Fields {
  readonly table: Table;
  readonly path: string;
  readonly report: ReportIssue;
  readonly #known = new Set<string>();

  constructor(table: Table, path: string, problems: ReportIssue) {
    this.table = table;
    this.path = path;
    this.report = problems;
  }

  text(key: string): string | null {
    const value = this.#take(key);
    if (value === undefined) return null;
    if (typeof value === "string" && value.trim() !== "") return value;
    this.#wrong(key, "is not a text, or empty");
    return null;
  }

  /** A text that must be there, and is no example's. */
  required(key: string): string | null {
    const value = this.#take(key);
    const problem = value === undefined ? "is missing" : textIssue(value);
    if (problem === null) return value as string;
    this.#wrong(key, problem);
    return null;
  }

  /** One such text, or a list of them. */
  requiredTexts(key: string): readonly string[] {
    const value = this.#take(key);
    if (!Array.isArray(value)) return [this.required(key) ?? []].flat();
    if (value.length === 0) this.#wrong(key, "names none");
    return value.flatMap((one: unknown, at) => {
      const problem = textIssue(one);
      if (problem === null) return one as string;
      this.#wrong(`${key}[${at}]`, problem);
      return [];
    });
  }

  oneOf<T extends string>(key: string, allowed: readonly T[], otherwise: T): T {
    const value = this.#take(key);
    if (value === undefined) return otherwise;
    const found = allowed.find((one) => one === value);
    if (found === undefined) this.#wrong(key, `is none of ${allowed.map((one) => `"${one}"`).join(", ")}`);
    return found ?? otherwise;
  }

  flag(key: string, otherwise: boolean): boolean {
    const value = this.#take(key);
    if (value === undefined) return otherwise;
    if (typeof value !== "boolean") this.#wrong(key, "is neither true nor false");
    return value === true;
  }

  /** A whole number from `least` to `most`. */
  count(key: string, least: number, most: number, otherwise: number): number {
    const value = this.#take(key);
    if (value === undefined) return otherwise;
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most)
      return value as number;
    this.#wrong(key, `is not a whole number from ${least} to ${most}`);
    return otherwise;
  }

  /** A list of texts; null where the key is absent. */
  texts(key: string): readonly string[] | null {
    const value = this.#take(key);
    if (value === undefined) return null;
    if (Array.isArray(value) && value.every((one) => typeof one === "string" && one !== ""))
      return value as string[];
    this.#wrong(key, "is not a list of texts");
    return [];
  }

  /** A table within this one; null where the key is absent, or no table. */
  nested(key: string): Fields | null {
    const value = this.#take(key);
    if (value === undefined) return null;
    const path = `${this.path}.${key}`;
    const table = asTable(value, path, this.report);
    return table && new Fields(table, path, this.report);
  }

  /** A list of names of secrets, each as `read` gives it; null of those is left out, `read` having said why. */
  secrets(key: string, read: (secretName: string) => string | null): readonly string[] {
    return (this.texts(key) ?? []).flatMap((name, at) => {
      // Not any text: a secret put where its name belongs must not be printed as a name.
      if (SECRET_NAME.test(name)) return read(name) ?? [];
      this.report(`${this.path}.${key}[${at}]`, `is not the name of a secret (${SECRET_NAME.source})`);
      return [];
    });
  }

  /** The name of one secret, likewise; required. */
  secret(key: string, read: (secretName: string) => string | null): string | null {
    const name = this.text(key);
    if (name !== null && SECRET_NAME.test(name)) return read(name);
    this.#wrong(key, `is not the name of a secret (${SECRET_NAME.source})`);
    return null;
  }

  /** An address to call, without a slash at its end; required. `https`, or `http` on loopback, and nothing behind the path. */
  url(key: string): string | null {
    const text = this.text(key);
    const wrong = (problem: string): null => {
      this.#wrong(key, problem);
      return null;
    };
    if (text === null) return wrong("is missing");
    if (isPlaceholder(text) || text.includes("...") || !URL.canParse(text)) return wrong("is not a URL");
    const url = new URL(text);
    const loopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
    if (url.protocol !== "https:" && !(url.protocol === "http:" && loopback)) return wrong("is not https");
    if (url.username || url.password) return wrong("holds a user name or password");
    if (text.includes("?") || text.includes("#")) return wrong("holds a query or fragment");
    return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
  }

  /** Reports every key that no reader asked for, and which there are. */
  rejectUnknown(): void {
    for (const key of Object.keys(this.table)) {
      if (!this.#known.has(key)) this.#wrong(key, `is unknown (known: ${[...this.#known].join(", ")})`);
    }
  }

  #take(key: string): unknown {
    this.#known.add(key);
    return Object.hasOwn(this.table, key) ? this.table[key] : undefined;
  }

  #wrong(key: string, problem: string): void {
    this.report(`${this.path}.${key}`, problem);
  }
}

/** What is wrong with a text that must be one, and not an example's; null where nothing is. */
function textIssue(value: unknown): string | null {
  if (typeof value !== "string" || value.trim() === "") return "is not a text, or empty";
  return isPlaceholder(value) || /[<>…]|\.\.\./.test(value) ? "still holds a placeholder" : null;
}

/** What examples have where a value belongs. */
export function isPlaceholder(value: string): boolean {
  return /^(?:<.*>|(?:your|replace|change)[-_ ]?\w+|[\w-]*(?:\.\.\.|…)|x{3,}|todo)$/i.test(value.trim());
}
