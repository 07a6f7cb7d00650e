/** Tables of behaviors that a request selects by the name of its model. */

/** The entry of that name; undefined if there is none. A member of `Object.prototype` is none. */
export function entryOf<Entry>(table: Readonly<Record<string, Entry>>, name: string): Entry | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** The help text: a line per entry, its name first. */
export function helpTable<Entry>(
  table: Readonly<Record<string, Entry>>,
  describe: (entry: Entry) => string,
): string {
  const width = Math.max(...Object.keys(table).map((name) => name.length));
  return Object.entries(table)
    .map(([name, entry]) => `  ${name.padEnd(width)}  ${describe(entry)}`)
    .join("\n");
}
