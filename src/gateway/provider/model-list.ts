/**
 * Removes entries from a provider's list of models, in its text: everything else stays as the provider wrote it. Lists have
 * the form of OpenAI and Anthropic (`data`), of Codex's and Ollama's servers (`models`), or are a bare array.
 */
import { asObject, parseJson } from "../../shared/json.ts";
import { eachElement, eachMember, skipValue } from "./json-members.ts";
import { decodeUtf8, JsonSource } from "./json-source.ts";

const LISTS: ReadonlySet<string> = new Set(["data", "models"]);
/** The names of a model within an entry, in order of preference. */
const ID_FIELDS = ["id", "slug", "model", "name"];

type Edit = { readonly from: number; readonly to: number; readonly text: string };

/** @returns the list's text with the allowed models only; null where the text is not a list of models. */
export function keepModels(text: string, isAllowed: (model: string) => boolean): string | null {
  const value = parseJson(text);
  const bytes = new TextEncoder().encode(text);
  const source = new JsonSource(bytes).trust();
  if (Array.isArray(value)) return filterArray(source, bytes.indexOf(0x5b), isAllowed).text;
  if (asObject(value) === null) return null;
  const lists: (Edit & { readonly ids: readonly string[]; readonly key: string })[] = [];
  const cursors: (Omit<Edit, "text"> & { readonly key: string })[] = [];
  eachMember(source, bytes.indexOf(0x7b), (start, from, to) => {
    const key = keyAt(source, start);
    if (LISTS.has(key) && bytes[from] === 0x5b)
      lists.push({ key, from, to, ...filterArray(source, from, isAllowed) });
    if (key === "first_id" || key === "last_id") cursors.push({ key, from, to });
  });
  if (lists.length === 0) return null;
  const { ids } = lists.find(({ key }) => key === "data") ?? { ids: [] };
  // Anthropic's cursors name the first and the last model of the page.
  const edits = cursors.map(({ key, from, to }) => ({
    from,
    to,
    text: JSON.stringify(ids.at(key === "first_id" ? 0 : -1) ?? null),
  }));
  return withEdits(bytes, [...lists, ...edits]);
}

/** The key whose first character is at `start`. */
const keyAt = (source: JsonSource, start: number): string =>
  JSON.parse(source.peek(start - 1, source.endOfString(start))) as string;

/** The array that starts at `from`, with the entries of allowed models only, and their names. */
function filterArray(
  source: JsonSource,
  from: number,
  isAllowed: (model: string) => boolean,
): { readonly text: string; readonly ids: readonly string[] } {
  const ids: string[] = [];
  const kept: string[] = [];
  eachElement(source, from, (at) => {
    const end = skipValue(source, at);
    const entry = source.peek(at, end);
    const id = idOf(parseJson(entry));
    if (id !== null && isAllowed(id)) {
      ids.push(id);
      kept.push(entry);
    }
    return end;
  });
  return { text: `[${kept.join(",")}]`, ids };
}

function idOf(entry: unknown): string | null {
  if (typeof entry === "string") return entry;
  const fields = asObject(entry);
  const id = ID_FIELDS.map((name) => fields?.[name]).find((value) => value !== undefined);
  return typeof id === "string" ? id : null;
}

function withEdits(bytes: Uint8Array, edits: readonly Edit[]): string {
  let edited = "";
  let at = 0;
  for (const edit of edits.toSorted((a, b) => a.from - b.from)) {
    edited += decodeUtf8(bytes, at, edit.from) + edit.text;
    at = edit.to;
  }
  return edited + decodeUtf8(bytes, at, bytes.length);
}
