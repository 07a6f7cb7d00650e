import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { violations } from "../../tools/house/rule.ts";
import { ROOT } from "../../tools/supply/tree.ts";

const PAGE = readFileSync(join(ROOT, "CONTRIBUTING.md"), "utf8");

type Example = { readonly path: string; readonly text: string };

/** Blocks whose first line names a file, by the language they are in. */
function blocks(language: string, first: RegExp): Example[] {
  const found = PAGE.matchAll(new RegExp(`^\`\`\`${language}\n(.*)\n([^]*?)^\`\`\`$`, "gm"));
  return Array.from(found, ([, head = "", text = ""]) => ({ path: first.exec(head)?.[1] ?? "", text }));
}

const files = blocks("ts", /^\/\/ (src\/\S+)$/);
const changes = blocks("diff", /^--- (src\/\S+)$/);

/** The text with its lines exchanged as a change says. What it leaves as it is must stand there, once. */
function changed(text: string, change: string): string {
  const lines = change.split("\n").slice(0, -1);
  const of = (signs: string): string =>
    lines
      .filter((line) => signs.includes(line[0] ?? ""))
      .map((line) => `${line.slice(1)}\n`)
      .join("");
  const before = of(" -");
  expect(text.split(before), `stands once:\n${before}`).toHaveLength(2);
  return text.replace(before, () => of(" +"));
}

/** A copy of `src/` with every example in it. */
async function house(): Promise<string> {
  const cache = join(ROOT, "node_modules/.cache");
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "contributing-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(join(ROOT, "src"), join(folder, "src"), { recursive: true });
  for (const { path, text } of files) await writeFile(join(folder, path), text, { flag: "wx" });
  for (const { path, text } of changes) {
    const file = join(folder, path);
    await writeFile(file, changed(readFileSync(file, "utf8"), text));
  }
  return folder;
}

describe("CONTRIBUTING.md's examples", () => {
  it("are five: a client, a policy, an identity source, an API and a sink, each wired", () => {
    expect(files.map(({ path }) => path.split("/")[1])).toEqual(["policy", "identity", "provider", "sinks"]);
    expect(changes.map(({ path }) => path)).toEqual([
      "src/gateway/client/clients.ts",
      ...Array.from({ length: 2 * files.length }, () => "src/gateway/wiring.ts"),
    ]);
  });

  it("can be put into the sources as they stand, and fit the types", async () => {
    const folder = await house();
    const compilerOptions = { types: ["@cloudflare/workers-types"], lib: ["es2024"] };
    const settings = { extends: join(ROOT, "tsconfig.base.json"), compilerOptions, include: ["src"] };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(settings));
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, "-p", folder]).catch(
      (error: unknown) => error as { stdout: string },
    );
    expect(stdout).toBe("");
  });

  it("keep the import rule", async () => {
    const src = join(await house(), "src");
    const paths = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((path) =>
      path.endsWith(".ts"),
    );
    const sources = paths.map((path) => [path.replaceAll("\\", "/"), readFileSync(join(src, path), "utf8")]);
    expect(sources.length).toBeGreaterThan(100);
    expect(violations(Object.fromEntries(sources) as Record<string, string>)).toEqual([]);
  });
});
