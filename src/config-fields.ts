/**
 * Reads unchecked settings field by field. Every problem is collected with the path of its key, none stops the
 * reading, and no value is ever quoted: it may be a secret put in the wrong place.
 */
import type { Problems } from "./identity/identity.ts";

export type Table = Readonly<Record<string, unknown>>;

/** A table, given as a TOML table or as the same in a JSON string; null after reporting what it is instead. */
export function asTable(value: unknown, path: string, problems: Problems): Table | null {
  const table = fromJson(value);
  if (typeof table === "object" && table !== null && !Array.isArray(table)) return table as Table;
  problems(path, "is neither a table nor a JSON object");
  return null;
}

/** A list of tables, likewise. */
export function asList(value: unknown, path: string, problems: Problems): readonly unknown[] | null {
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
  readonly problems: Problems;
  readonly #known = new Set<string>();

  constructor(table: Table, path: string, problems: Problems) {
    this.table = table;
    this.path = path;
    this.problems = problems;
  }

  text(key: string): string | null {
    const value = this.#take(key);
    if (value === undefined) return null;
    if (typeof value === "string" && value.trim() !== "") return value;
    this.#wrong(key, "is not a text, or empty");
    return null;
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

  /** Reports every key that no reader asked for, and which there are. */
  done(): void {
    for (const key of Object.keys(this.table)) {
      if (!this.#known.has(key)) this.#wrong(key, `is unknown (known: ${[...this.#known].join(", ")})`);
    }
  }

  #take(key: string): unknown {
    this.#known.add(key);
    return Object.hasOwn(this.table, key) ? this.table[key] : undefined;
  }

  #wrong(key: string, problem: string): void {
    this.problems(`${this.path}.${key}`, problem);
  }
}

/** What examples have where a value belongs. */
export function isPlaceholder(value: string): boolean {
  return /^(?:<.*>|(?:your|replace|change)[-_ ]?\w+|[\w-]*(?:\.\.\.|…)|x{3,}|todo)$/i.test(value.trim());
}
