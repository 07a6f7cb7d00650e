import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lockfileProblems, type Lockfile, type Manifest } from "../../tools/supply/lockfile.mjs";
import { ownFiles } from "../../tools/supply/tree.ts";
import { ROOT } from "../../tools/root.ts";

const read = <T>(path: string): T => JSON.parse(readFileSync(join(ROOT, path), "utf8")) as T;

const HASH = `sha512-${"a".repeat(86)}==`;
const GOOD: Lockfile["packages"][string] = { version: "1.2.3", integrity: HASH };

/** The problems of a lockfile with these packages. */
const problemsOf = (
  packages: Lockfile["packages"],
  manifest: Manifest = {},
  lockfileVersion = 3,
): readonly string[] => lockfileProblems(manifest, { lockfileVersion, packages });

const lockfiles = ownFiles().filter((path) => path.endsWith("package-lock.json"));

/** Runs the program beside these files. */
function check(
  manifest: object,
  packages: object,
): { readonly status: number | null; readonly stderr: string } {
  const folder = mkdtempSync(join(tmpdir(), "lockfile-"));
  try {
    const program = join(folder, "tools/supply/lockfile.mjs");
    cpSync(join(ROOT, "tools/supply/lockfile.mjs"), program);
    writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
    writeFileSync(join(folder, "package-lock.json"), JSON.stringify({ lockfileVersion: 3, packages }));
    const { status, stderr } = spawnSync(process.execPath, [program], { encoding: "utf8" });
    return { status, stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("the check before the installation", () => {
  // N4, the attack: a postinstall script of a new package. With npm before 11.16 it runs, and a test comes too late.
  it("Finding N4: rejects a package with an install script that package.json does not list", () => {
    const packages = { "node_modules/evil": { ...GOOD, hasInstallScript: true } };
    expect(check({}, packages)).toEqual({
      status: 1,
      stderr: "package-lock.json: evil: has an install script that allowScripts neither allows nor denies\n",
    });
    expect(check({ allowScripts: { evil: false } }, packages)).toEqual({ status: 0, stderr: "" });
  });

  it("is the first step of the checks, and npm refuses such a package too", () => {
    const steps = readFileSync(join(ROOT, ".ci/run"), "utf8").split("\n");
    const first = steps.indexOf("node tools/supply/lockfile.mjs");
    expect(first).toBeGreaterThan(0);
    expect(steps.indexOf("npm ci")).toBeGreaterThan(first);
    expect(readFileSync(join(ROOT, ".npmrc"), "utf8")).toMatch(/^strict-allow-scripts=true$/m);
  });
});

describe("the lockfiles", () => {
  it("are those of the project and of the older workerd", () => {
    expect(lockfiles).toEqual(["package-lock.json", "test/older-workerd/package-lock.json"]);
  });

  it.each(lockfiles)("%s installs only packages of the registry, by their hashes", (path) => {
    const lockfile = read<Lockfile>(path);
    const manifest = read<Manifest>(path.replace("package-lock.json", "package.json"));
    expect(Object.keys(lockfile.packages).length).toBeGreaterThan(5);
    expect(lockfileProblems(manifest, lockfile)).toEqual([]);
  });
});

describe("lockfileProblems", () => {
  it.each<readonly [string, Lockfile["packages"]]>([
    ["a package", { "node_modules/a": GOOD }],
    ["a nested package", { "node_modules/a/node_modules/@b/c": GOOD }],
    ["ranges", { "": { dependencies: { a: "^1.2.3", b: ">=1 <3 || ~4.5.x", c: "*", d: "1.0.0-beta.1+x" } } }],
    ["an alias of a package", { "": { devDependencies: { a: "npm:@b/c@1.2.3" } } }],
  ])("accepts %s", (_, packages) => {
    expect(problemsOf(packages)).toEqual([]);
  });

  it.each<readonly [string, Lockfile["packages"]]>([
    ["another registry", { "node_modules/a": { ...GOOD, resolved: "https://packages.example/a.tgz" } }],
    ["git", { "node_modules/a": { ...GOOD, resolved: "git+ssh://git@github.com/a/b.git#abc" } }],
    ["a file", { "node_modules/a": { ...GOOD, resolved: "file:../a.tgz" } }],
    ["a link", { "node_modules/a": { ...GOOD, link: true } }],
    ["a folder", { "packages/a": GOOD }],
    ["no hash", { "node_modules/a": { version: "1.2.3" } }],
    ["a weak hash", { "node_modules/a": { ...GOOD, integrity: "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=" } }],
    ["no version", { "node_modules/a": { integrity: HASH } }],
    ["a dependency from git", { "": { dependencies: { a: "github:a/b" } } }],
    ["a dependency by owner and name", { "": { dependencies: { a: "a/b" } } }],
    [
      "a dependency from a URL",
      { "node_modules/a": { ...GOOD, dependencies: { b: "https://evil.example/b.tgz" } } },
    ],
    ["an optional dependency from a file", { "": { optionalDependencies: { a: "file:../a" } } }],
    ["an install script that is not allowed", { "node_modules/a": { ...GOOD, hasInstallScript: true } }],
  ])("rejects %s", (_, packages) => {
    expect(problemsOf(packages)).toHaveLength(1);
  });

  it("rejects an older lockfile version, and an allowed script of a package without one", () => {
    expect(problemsOf({}, {}, 2)).toHaveLength(1);
    expect(problemsOf({ "node_modules/a": GOOD }, { allowScripts: { a: true } })).toEqual([
      "a: in allowScripts, but has no install script",
    ]);
  });

  it("accepts an install script that is allowed or denied by name, also of a nested package", () => {
    const packages = { "node_modules/b/node_modules/a": { ...GOOD, hasInstallScript: true } };
    expect(problemsOf(packages, { allowScripts: { a: true } })).toEqual([]);
    expect(problemsOf(packages, { allowScripts: { a: false } })).toEqual([]);
  });
});
