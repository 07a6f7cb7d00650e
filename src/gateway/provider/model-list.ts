/**
 * Removes entries from a provider's list of models, in its text: everything else stays as the provider wrote it. Lists have
 * the form of OpenAI and Anthropic (`data`), of Codex's and Ollama's servers (`models`), or are a bare array.
 */
import { asObject, parseJson } from "../../shared/json.ts";
import { arrayItems, topLevelMembers } from "./json-members.ts";

const LISTS: ReadonlySet<string> = new Set(["data", "models"]);
/** The names of a model within an entry, in order of preference. */
const ID_FIELDS = ["id", "slug", "model", "name"];

type Edit = { readonly from: number; readonly to: number; readonly text: string };

/** @returns the list's text with the allowed models only; null where the text is not a list of models. */
export function keepModels(text: string, isAllowed: (model: string) => boolean): string | null {
  const value = parseJson(text);
  if (Array.isArray(value)) return filterArray(text, text.indexOf("["), isAllowed).text;
  if (asObject(value) === null) return null;
  const members = [...topLevelMembers(text)];
  const lists = members.filter(({ key, from }) => LISTS.has(key) && text[from] === "[");
  if (lists.length === 0) return null;
  const filtered = lists.map((list) => ({ ...list, ...filterArray(text, list.from, isAllowed) }));
  const { ids } = filtered.find(({ key }) => key === "data") ?? { ids: [] };
  // Anthropic's cursors name the first and the last model of the page.
  const cursors = members.flatMap(({ key, from, to }): Edit[] => {
    if (key !== "first_id" && key !== "last_id") return [];
    return [{ from, to, text: JSON.stringify(ids.at(key === "first_id" ? 0 : -1) ?? null) }];
  });
  return withEdits(text, [...filtered, ...cursors]);
}

/** The array that starts at `from`, with the entries of allowed models only, and their names. */
function filterArray(
  text: string,
  from: number,
  isAllowed: (model: string) => boolean,
): { readonly text: string; readonly ids: readonly string[] } {
  const ids: string[] = [];
  const kept: string[] = [];
  for (const item of arrayItems(text, from)) {
    const entry = text.slice(item.from, item.to);
    const id = idOf(parseJson(entry));
    if (id === null || !isAllowed(id)) continue;
    ids.push(id);
    kept.push(entry);
  }
  return { text: `[${kept.join(",")}]`, ids };
}

function idOf(entry: unknown): string | null {
  if (typeof entry === "string") return entry;
  const fields = asObject(entry);
  const id = ID_FIELDS.map((name) => fields?.[name]).find((value) => value !== undefined);
  return typeof id === "string" ? id : null;
}

function withEdits(text: string, edits: readonly Edit[]): string {
  let edited = "";
  let at = 0;
  for (const edit of edits.toSorted((a, b) => a.from - b.from)) {
    edited += text.slice(at, edit.from) + edit.text;
    at = edit.to;
  }
  return edited + text.slice(at);
}
