/** The names that records give the identity sources: each entry of `IDENTITY` is a namespace of ids. */
import { fromJson, type ReportIssue } from "../../shared/config/fields.ts";
import { asObject } from "../../shared/json.ts";

/**
 * The names. Reports a second entry of one name: what one issuer calls `alice` would be the other issuer's `alice`, with the
 * same account, budget and permissions. Other issues with the entries are reported where the sources are read.
 */
export function readSourceNames(identity: unknown, report: ReportIssue): readonly string[] {
  const list = fromJson(identity);
  const names: string[] = [];
  for (const [at, item] of (Array.isArray(list) ? (list as readonly unknown[]) : []).entries()) {
    const { source, name = source } = asObject(fromJson(item)) ?? {};
    if (typeof name !== "string" || name === "") continue;
    if (names.includes(name))
      report(`IDENTITY[${at}]`, "must differ from every other entry in its source, or of two jwt in `name`");
    names.push(name);
  }
  return names;
}
