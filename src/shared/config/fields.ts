/**
 * Reads unchecked settings field by field. Every issue is collected with the path of its key and reading goes on. No value
 * is ever quoted: it may be a secret in the wrong place.
 */

/** Collects an issue with a config: the path of its key, and what it must be. */
export type ReportIssue = (path: string, issue: string) => void;

const SECRET_NAME = /^[A-Z][A-Z0-9_]*$/;

export type Table = Readonly<Record<string, unknown>>;

/** A table, given as a TOML table or as a JSON string; null after reporting the issue. */
export function asTable(value: unknown, path: string, report: ReportIssue): Table | null {
  const table = fromJson(value);
  if (typeof table === "object" && table !== null && !Array.isArray(table)) return table as Table;
  report(path, "must be a table or a JSON object");
  return null;
}

/** A list of tables, given as a TOML array or as a JSON string; null after reporting the issue. */
export function asList(value: unknown, path: string, report: ReportIssue): readonly unknown[] | null {
  const list = fromJson(value);
  if (Array.isArray(list)) return list;
  report(path, "must be an array or a JSON array");
  return null;
}

/** A text that is JSON as its value; anything else unchanged. */
export function fromJson(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

export const oneOfIssue = (words: readonly string[]): string =>
  `must be one of ${words.map((word) => `"${word}"`).join(", ")}`;

/** The fields of one table. Each reader marks its key as known; `rejectUnknown` reports the others. */
export class Fields {
  readonly table: Table;
  readonly path: string;
  readonly report: ReportIssue;
  readonly #known = new Set<string>();
  readonly #rejected = new Set<string>();

  constructor(table: Table, path: string, report: ReportIssue) {
    this.table = table;
    this.path = path;
    this.report = report;
  }

  has(key: string): boolean {
    return Object.hasOwn(this.table, key);
  }

  /** A text, or null where the key is absent. */
  text(key: string): string | null {
    const value = this.#take(key);
    if (value === undefined) return null;
    if (typeof value === "string" && value.trim() !== "") return value;
    this.reject(key, "must be a non-empty text");
    return null;
  }

  /** A text that is required and not an example's placeholder. */
  required(key: string): string | null {
    const value = this.#take(key);
    const issue = value === undefined ? "is required" : textIssue(value);
    if (issue === null) return value as string;
    this.reject(key, issue);
    return null;
  }

  /** One such text, or a list of them. */
  requiredTexts(key: string): readonly string[] {
    const value = this.#take(key);
    if (!Array.isArray(value)) return [this.required(key) ?? []].flat();
    if (value.length === 0) this.reject(key, "must not be empty");
    return value.flatMap((entry: unknown, at) => {
      const issue = textIssue(entry);
      if (issue === null) return entry as string;
      this.reject(`${key}[${at}]`, issue);
      return [];
    });
  }

  oneOf<T extends string>(key: string, allowed: readonly T[], otherwise: T): T {
    const value = this.#take(key);
    if (value === undefined) return otherwise;
    const match = allowed.find((word) => word === value);
    if (match === undefined) this.reject(key, oneOfIssue(allowed));
    return match ?? otherwise;
  }

  flag(key: string, otherwise: boolean): boolean {
    const value = this.#take(key);
    if (value === undefined) return otherwise;
    if (typeof value !== "boolean") this.reject(key, "must be true or false");
    return value === true;
  }

  /** A whole number from `min` to `max`. */
  count(key: string, min: number, max: number, otherwise: number): number {
    const value = this.#take(key);
    if (value === undefined) return otherwise;
    if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max)
      return value as number;
    this.reject(key, `must be a whole number from ${min} to ${max}`);
    return otherwise;
  }

  /** A number from `min` to `max`. */
  number(key: string, min: number, max: number, otherwise: number): number {
    const value = this.#take(key);
    if (value === undefined) return otherwise;
    if (typeof value === "number" && value >= min && value <= max) return value;
    this.reject(key, `must be a number from ${min} to ${max}`);
    return otherwise;
  }

  /** A list of texts; null where the key is absent. */
  texts(key: string): readonly string[] | null {
    const value = this.#take(key);
    if (value === undefined) return null;
    if (Array.isArray(value) && value.every((one) => typeof one === "string" && one !== ""))
      return value as string[];
    this.reject(key, "must be a list of texts");
    return [];
  }

  /** The entries of a list, unchecked. */
  list(key: string): readonly unknown[] {
    const value = this.#take(key);
    return Array.isArray(value) ? value : [];
  }

  /** A table within this one; null where the key is absent or not a table. */
  nested(key: string): Fields | null {
    const value = this.#take(key);
    if (value === undefined) return null;
    const path = `${this.path}.${key}`;
    const table = asTable(value, path, this.report);
    return table && new Fields(table, path, this.report);
  }

  /** The tables of a list; none where the key is absent. */
  tables(key: string): readonly Fields[] {
    const value = this.#take(key);
    const path = `${this.path}.${key}`;
    const list = value === undefined ? [] : (asList(value, path, this.report) ?? []);
    return list.flatMap((item, at) => {
      const table = asTable(item, `${path}[${at}]`, this.report);
      return table ? [new Fields(table, `${path}[${at}]`, this.report)] : [];
    });
  }

  /** The values of a list of secret names. `read` reports its own issues and returns null for them. */
  secrets(key: string, read: (secretName: string) => string | null): readonly string[] {
    return (this.texts(key) ?? []).flatMap((name, at) => {
      // A secret in place of its name must not be printed as a name.
      if (SECRET_NAME.test(name)) return read(name) ?? [];
      this.report(`${this.path}.${key}[${at}]`, `must be the name of a secret (${SECRET_NAME.source})`);
      return [];
    });
  }

  /** The value of one secret, named by the key; required. */
  secret(key: string, read: (secretName: string) => string | null): string | null {
    const name = this.text(key);
    if (name !== null && SECRET_NAME.test(name)) return read(name);
    this.reject(key, `must be the name of a secret (${SECRET_NAME.source})`);
    return null;
  }

  /** A URL to call, without a trailing slash; required. `https`, or `http` on loopback, without query and fragment. */
  url(key: string): string | null {
    const text = this.text(key);
    const reject = (issue: string): null => {
      this.reject(key, issue);
      return null;
    };
    if (text === null) return reject("is required");
    if (isPlaceholder(text) || text.includes("...") || !URL.canParse(text)) return reject("must be a URL");
    const url = new URL(text);
    const isLoopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
    if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback))
      return reject("must be https");
    if (url.username || url.password) return reject("must not hold a user name or password");
    if (text.includes("?") || text.includes("#")) return reject("must not hold a query or fragment");
    return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
  }

  /** Reports every key that no reader took, with the list of known keys. */
  rejectUnknown(): void {
    for (const key of Object.keys(this.table)) {
      if (!this.#known.has(key))
        this.reject(key, `is not a known key (known: ${[...this.#known].join(", ")})`);
    }
  }

  #take(key: string): unknown {
    this.#known.add(key);
    return this.has(key) ? this.table[key] : undefined;
  }

  /** Reports the first issue of a key. Later ones follow from it, such as a missing value after one that cannot be read. */
  reject(key: string, issue: string): void {
    if (this.#rejected.has(key)) return;
    this.#rejected.add(key);
    this.report(`${this.path}.${key}`, issue);
  }
}

/** The issue with a text that is required and not a placeholder; null where there is none. */
export function textIssue(value: unknown): string | null {
  if (typeof value !== "string" || value.trim() === "") return "must be a non-empty text";
  return isPlaceholder(value) || /[<>\u2026]|\.\.\./.test(value) ? "must not be a placeholder" : null;
}

/** The forms that examples have in place of a value. */
export function isPlaceholder(value: string): boolean {
  return /^(?:<.*>|(?:your|replace|change)[-_ ]?\w+|[\w-]*(?:\.\.\.|\u2026)|x{3,}|todo)$/i.test(value.trim());
}
