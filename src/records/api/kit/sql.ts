/**
 * SQL text with its bound values. The template `sql` inserts another `Sql` as SQL and binds every other value, so a
 * caller's text can only ever be bound.
 */

export type Value = string | number | null;

export type Sql = { readonly text: string; readonly values: readonly Value[] };

/** A condition on the table that has this alias. */
export type Condition = (alias: string) => Sql;

export function sql(parts: TemplateStringsArray, ...inserted: readonly (Sql | Value)[]): Sql {
  const values: Value[] = [];
  let text = "";
  for (const [at, part] of parts.entries()) {
    text += part;
    if (at >= inserted.length) break;
    const piece = inserted[at] ?? null;
    if (typeof piece === "object" && piece !== null) {
      text += piece.text;
      values.push(...piece.values);
    } else {
      text += "?";
      values.push(piece);
    }
  }
  return { text, values };
}

/**
 * A column's name, from the code's own tables.
 * @throws Error where the name would need quoting: a caller's text must never become SQL.
 */
export function column(alias: string, name: string): Sql {
  if (![alias, name].every((part) => /^[a-z][a-z0-9_]*$/.test(part))) throw new Error("not a column's name");
  return { text: `${alias}.${name}`, values: [] };
}

export function joined(pieces: readonly Sql[], separator: " AND " | ", "): Sql {
  return {
    text: pieces.map(({ text }) => text).join(separator),
    values: pieces.flatMap(({ values }) => values),
  };
}

/** The conjunction of the conditions; true where there are none. */
export function allOf(conditions: readonly Condition[]): Condition {
  return (alias) =>
    conditions.length === 0
      ? sql`1`
      : joined(
          conditions.map((condition) => condition(alias)),
          " AND ",
        );
}
