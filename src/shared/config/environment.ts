/** Reads a Worker's environment: tables, secrets and bindings by name. Both Workers' configs are read with it. */
import type { NamedSecret } from "../secret-finder.ts";
import { asTable, Fields, fromJson, isPlaceholder, type ReportIssue } from "./fields.ts";

export type Env = Readonly<Record<string, unknown>>;

/** One line each: `KEY.path issue`, never a value. */
export type ConfigIssues = { readonly issues: readonly string[] };

export type NamedValue = readonly [name: string, value: unknown];

export type Environment = {
  readonly report: ReportIssue;
  readonly has: (name: string) => boolean;
  /** The variable unchanged. */
  readonly value: (name: string) => unknown;
  /** The table's fields; none where the table is absent. */
  readonly fields: (name: string) => Fields;
  /** The secret's value, without surrounding white space; null after reporting the issue. */
  readonly secret: (name: string) => string | null;
  /** A binding, recognized by a method that only its kind has; null where it is not bound. */
  readonly binding: <T extends object>(name: string, method: keyof T & string, kind: string) => T | null;
  /** A whole number of days, as a number or (from `.dev.vars` and the dashboard) as digits. */
  readonly days: (name: string, otherwise: number) => number;
  /** true or false, as a boolean or (from `.dev.vars` and the dashboard) as text. */
  readonly flag: (name: string, otherwise: boolean) => boolean;
  /** The names that have not been read so far, with their values. */
  readonly unread: () => readonly NamedValue[];
  /** The secrets that have been read so far. */
  readonly secrets: () => readonly NamedSecret[];
};

export function readEnvironment(env: Env, report: ReportIssue): Environment {
  const read = new Set<string>();
  const secrets = new Map<string, string>();
  const value = (name: string): unknown => {
    read.add(name);
    return env[name];
  };
  return {
    report,
    has: (name) => value(name) !== undefined,
    value,
    fields: (name) => {
      const sent = value(name);
      const table = sent === undefined ? {} : (asTable(sent, name, report) ?? {});
      return new Fields(table, name, report);
    },
    secret: (name) => {
      const secret = Object.hasOwn(env, name) ? value(name) : undefined;
      const issue = secretIssue(secret);
      if (issue === null) {
        const text = (secret as string).trim();
        secrets.set(name, text);
        return text;
      }
      report(name, issue);
      return null;
    },
    binding: <T extends object>(name: string, method: keyof T & string, kind: string): T | null => {
      const binding = value(name);
      if (binding === undefined || binding === null) return null;
      if (typeof (binding as T)[method] === "function") return binding as T;
      report(name, `must be ${kind}`);
      return null;
    },
    days: (name, otherwise) => {
      const sent = value(name);
      if (sent === undefined) return otherwise;
      const days = typeof sent === "string" && /^\d{1,6}$/.test(sent.trim()) ? Number(sent) : sent;
      if (Number.isSafeInteger(days) && (days as number) >= 0 && (days as number) <= 36_500)
        return days as number;
      report(name, "must be a whole number of days from 0 to 36500");
      return otherwise;
    },
    flag: (name, otherwise) => {
      const sent = fromJson(value(name));
      if (sent === undefined || typeof sent === "boolean") return sent ?? otherwise;
      report(name, "must be true or false");
      return otherwise;
    },
    secrets: () => [...secrets].flatMap(([name, text]) => (LIST.test(text) ? [] : [{ name, value: text }])),
    unread: () => Object.entries(env).filter(([name]) => !read.has(name)),
  };
}

/** The secret with the list of client keys holds digests, which need not be kept from anyone's sight. */
const LIST = /^\[\s*[\]{]/;

function secretIssue(secret: unknown): string | null {
  if (secret === undefined) return "is required: the configuration names it as a secret";
  if (isSecretsStore(secret)) return "must be a text secret: Secrets Store bindings are not supported";
  if (typeof secret !== "string") return "must be a text";
  if (secret.trim() === "") return "must not be empty";
  return isPlaceholder(secret) ? "must not be a placeholder" : null;
}

/** Such a binding is read asynchronously on each request, while a configuration is read once. */
const isSecretsStore = (secret: unknown): boolean =>
  typeof secret === "object" &&
  secret !== null &&
  typeof (secret as Readonly<Record<string, unknown>>)["get"] === "function";
