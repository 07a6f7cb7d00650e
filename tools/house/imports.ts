/** What a source imports, read from its text. */

export type Import = { readonly from: string; readonly isType: boolean; readonly exports: boolean };

/** The text without comments: what stands in them imports nothing. */
export function code(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`])\/\/.*$/gm, "$1");
}

/** Every import or re-export: `import type …` and `import { type A, type B }` are types, anything else is a value. */
export function importsOf(text: string): Import[] {
  const statement = /^\s*(import|export)\s+(type\s+)?([^;"']*?)\s*from\s*["']([^"']+)["']/gm;
  const found = Array.from(code(text).matchAll(statement), ([, word, type, names = "", from = ""]) => {
    const listed = /^\{([^}]*)\}$/.exec(names.trim())?.[1]?.split(",") ?? [];
    const named = listed.map((name) => name.trim()).filter((name) => name !== "");
    const onlyTypes = named.length > 0 && named.every((name) => name.startsWith("type "));
    return { from, isType: type !== undefined || onlyTypes, exports: word === "export" };
  });
  const bare = Array.from(
    code(text).matchAll(/(?:^\s*import\s*|\bimport\s*\(\s*)["']([^"']+)["']/gm),
    ([, from = ""]) => ({
      from,
      isType: false,
      exports: false,
    }),
  );
  return [...found, ...bare];
}

/** The path under `src/` that an import of `path` leads to. */
export function resolve(path: string, from: string): string {
  const parts = path.split("/").slice(0, -1);
  for (const part of from.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}
