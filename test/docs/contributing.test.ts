/** CONTRIBUTING.md: its examples apply to the sources as they are, compile, and keep the import rule. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { violations } from "../../tools/structure/rule.ts";
import { ROOT } from "../../tools/root.ts";

const PAGE = readFileSync(join(ROOT, "CONTRIBUTING.md"), "utf8");

type Example = { readonly path: string; readonly text: string };

/** The code blocks of a language whose first line names a file. */
function blocks(language: string, firstLine: RegExp): Example[] {
  const matches = PAGE.matchAll(new RegExp(`^\`\`\`${language}\n(.*)\n([^]*?)^\`\`\`$`, "gm"));
  return Array.from(matches, ([, head = "", text = ""]) => ({ path: firstLine.exec(head)?.[1] ?? "", text }));
}

const files = blocks("ts", /^\/\/ (src\/\S+)$/);
const changes = blocks("diff", /^--- (src\/\S+)$/);

/** Applies a diff to the text. Its unchanged and removed lines must occur exactly once. */
function applyDiff(text: string, diff: string): string {
  const lines = diff.split("\n").slice(0, -1);
  const linesWith = (signs: string): string =>
    lines
      .filter((line) => signs.includes(line[0] ?? ""))
      .map((line) => `${line.slice(1)}\n`)
      .join("");
  const before = linesWith(" -");
  expect(text.split(before), `occurs once:\n${before}`).toHaveLength(2);
  return text.replace(before, () => linesWith(" +"));
}

/** A copy of `src/` with every example applied. */
async function copyWithExamples(): Promise<string> {
  const cache = join(ROOT, "node_modules/.cache");
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "contributing-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(join(ROOT, "src"), join(folder, "src"), { recursive: true });
  for (const { path, text } of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text, { flag: "wx" });
  }
  for (const { path, text } of changes) {
    const file = join(folder, path);
    await writeFile(file, applyDiff(readFileSync(file, "utf8"), text));
  }
  return folder;
}

describe("CONTRIBUTING.md's examples", () => {
  it("are five: a client, a policy, an identity source, a dialect and a sink, each with its line", () => {
    expect(files.map(({ path }) => path.split("/").slice(0, 3).join("/"))).toEqual([
      "src/gateway/policy",
      "src/gateway/identity",
      "src/gateway/provider",
      "src/gateway/sinks",
    ]);
    expect(changes.map(({ path }) => path)).toEqual([
      "src/gateway/client/clients.ts",
      ...Array.from({ length: 2 * files.length }, () => "src/gateway/wiring.ts"),
    ]);
  });

  it("apply to the sources, and compile", async () => {
    const folder = await copyWithExamples();
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
    const src = join(await copyWithExamples(), "src");
    const paths = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((path) =>
      path.endsWith(".ts"),
    );
    const sources = paths.map((path) => [path.replaceAll("\\", "/"), readFileSync(join(src, path), "utf8")]);
    expect(sources.length).toBeGreaterThan(100);
    expect(violations(Object.fromEntries(sources) as Record<string, string>)).toEqual([]);
  });
});

describe("CONTRIBUTING.md", () => {
  it("names only files and folders that exist", () => {
    const named = Array.from(
      PAGE.matchAll(/`((?:src|test|tools|docs)\/[\w./-]+)`/g),
      ([, path = ""]) => path,
    );
    const all = new Set(
      ["src", "test", "tools", "docs"].flatMap((folder) =>
        readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((path) =>
          `${folder}/${path}`.replaceAll("\\", "/"),
        ),
      ),
    ).add("src");
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !all.has(path.replace(/\/$/, "")))).toEqual([]);
  });
});
