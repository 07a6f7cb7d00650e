/** The imports of a source, read from its text. */

export type Import = { readonly from: string; readonly isType: boolean; readonly isReexport: boolean };

/** The text without comments. */
export function code(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`])\/\/.*$/gm, "$1");
}

/** Every import and re-export. `import type …` and `import { type A, type B }` import types, anything else values. */
export function importsOf(text: string): Import[] {
  const source = code(text);
  const statement = /^\s*(import|export)\s+(type\s+)?([^;"']*?)\s*from\s*["']([^"']+)["']/gm;
  const found = Array.from(source.matchAll(statement), ([, word, type, names = "", from = ""]) => {
    const list = /^\{([^}]*)\}$/.exec(names.trim())?.[1]?.split(",") ?? [];
    const named = list.map((name) => name.trim()).filter((name) => name !== "");
    const onlyTypes = named.length > 0 && named.every((name) => name.startsWith("type "));
    return { from, isType: type !== undefined || onlyTypes, isReexport: word === "export" };
  });
  const bare = Array.from(
    source.matchAll(/(?:^\s*import\s*|\bimport\s*\(\s*)["']([^"']+)["']/gm),
    ([, from = ""]) => ({ from, isType: false, isReexport: false }),
  );
  return [...found, ...bare];
}

/** The path under `src/` that an import in `path` leads to. */
export function resolve(path: string, from: string): string {
  const parts = path.split("/").slice(0, -1);
  for (const part of from.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}
