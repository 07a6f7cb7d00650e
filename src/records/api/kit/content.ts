/**
 * Recorded content in responses. The schema of a response marks the fields that hold content, or a digest of it. OpenAPI shows
 * the mark, and the event of a read says by it whether the response had content.
 */
import { orNull, type Schema } from "../../../shared/json-schema.ts";

/** OpenAPI's form of an extension. */
const MARK = "x-recorded-content";

/** The schema of a field that is null where content is not shown. */
export const contentSchema = (schema: Schema): Schema => ({ ...orNull(schema), [MARK]: true });

/** Where in a value its content is: here, in all elements of a list, or in these fields of an object. */
type Places = true | { readonly each: Places } | { readonly fields: readonly (readonly [string, Places])[] };

/** null where no field has content. */
function placesIn({ [MARK]: isContent, items, properties }: Schema): Places | null {
  if (isContent === true) return true;
  const each = items === undefined ? null : placesIn(items as Schema);
  if (each !== null) return { each };
  const fields = Object.entries((properties ?? {}) as Readonly<Record<string, Schema>>).flatMap(
    ([name, schema]) => {
      const places = placesIn(schema);
      return places === null ? [] : [[name, places] as const];
    },
  );
  return fields.length === 0 ? null : { fields };
}

function hasContentAt(value: unknown, places: Places): boolean {
  if (value === null || value === undefined || value === "") return false;
  if (places === true) return typeof value !== "object" || Object.keys(value).length > 0;
  if ("each" in places) return Array.isArray(value) && value.some((item) => hasContentAt(item, places.each));
  const fields = value as Readonly<Record<string, unknown>>;
  return places.fields.some(([name, inner]) => hasContentAt(fields[name], inner));
}

/** Whether a body of this schema has content. An empty text, list or object is none. null where the schema marks no field. */
export function contentCheck(schema: Schema): ((body: unknown) => boolean) | null {
  const places = placesIn(schema);
  return places && ((body) => hasContentAt(body, places));
}
