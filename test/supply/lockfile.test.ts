import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lockfileProblems, type Lockfile, type Manifest } from "../../tools/supply/lockfile.ts";
import { ownFiles, ROOT } from "../../tools/supply/tree.ts";

const read = <T>(path: string): T => JSON.parse(readFileSync(join(ROOT, path), "utf8")) as T;

const HASH = `sha512-${"a".repeat(86)}==`;
const GOOD: Lockfile["packages"][string] = { version: "1.2.3", integrity: HASH };

/** A lockfile with this one package, or with what the project depends on. */
const locked = (
  packages: Lockfile["packages"],
  manifest: Manifest = {},
  lockfileVersion = 3,
): readonly string[] => lockfileProblems(manifest, { lockfileVersion, packages });

const lockfiles = ownFiles().filter((path) => path.endsWith("package-lock.json"));

describe("the lockfiles", () => {
  it("are two", () => {
    expect(lockfiles).toEqual(["package-lock.json", "test/older-workerd/package-lock.json"]);
  });

  it.each(lockfiles)("%s installs only what was reviewed, from the registry, by its hash", (path) => {
    const lockfile = read<Lockfile>(path);
    const manifest = read<Manifest>(path.replace("package-lock.json", "package.json"));
    expect(Object.keys(lockfile.packages).length).toBeGreaterThan(5);
    expect(lockfileProblems(manifest, lockfile)).toEqual([]);
  });
});

describe("the lockfile check's own checks", () => {
  it.each<readonly [string, Lockfile["packages"]]>([
    ["a package", { "node_modules/a": GOOD }],
    ["one within another", { "node_modules/a/node_modules/@b/c": GOOD }],
    ["ranges", { "": { dependencies: { a: "^1.2.3", b: ">=1 <3 || ~4.5.x", c: "*", d: "1.0.0-beta.1+x" } } }],
    ["another name for a package", { "": { devDependencies: { a: "npm:@b/c@1.2.3" } } }],
  ])("allow %s", (_, packages) => {
    expect(locked(packages)).toEqual([]);
  });

  it.each<readonly [string, Lockfile["packages"]]>([
    ["a registry of its own", { "node_modules/a": { ...GOOD, resolved: "https://packages.example/a.tgz" } }],
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
    ["an install script nobody allowed", { "node_modules/a": { ...GOOD, hasInstallScript: true } }],
  ])("refuse %s", (_, packages) => {
    expect(locked(packages)).toHaveLength(1);
  });

  it("refuse an older form of lockfile, and an allowed script that is not there", () => {
    expect(locked({}, {}, 2)).toHaveLength(1);
    expect(locked({ "node_modules/a": GOOD }, { allowScripts: { a: true } })).toEqual([
      "a: in allowScripts, but has no install script",
    ]);
  });

  it("an install script may be allowed or denied by name, within another package too", () => {
    const packages = { "node_modules/b/node_modules/a": { ...GOOD, hasInstallScript: true } };
    expect(locked(packages, { allowScripts: { a: true } })).toEqual([]);
    expect(locked(packages, { allowScripts: { a: false } })).toEqual([]);
  });
});
