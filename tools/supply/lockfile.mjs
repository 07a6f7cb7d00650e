// @ts-check
/**
 * The rules for a lockfile, so that `npm ci` installs only reviewed code: every package comes from the registry and has a
 * hash (`.npmrc` omits the URLs), and install scripts run only where package.json allows them by name.
 *
 * `node tools/supply/lockfile.mjs` checks package-lock.json. It needs no package and no recent Node, so that it can run
 * before the installation: afterwards a malicious install script has already run.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { argv, exit, stderr } from "node:process";
import { fileURLToPath } from "node:url";

/** @typedef {{ readonly allowScripts?: Readonly<Record<string, boolean>> }} Manifest */
/**
 * @typedef {{
 *   readonly version?: string;
 *   readonly resolved?: string;
 *   readonly integrity?: string;
 *   readonly link?: boolean;
 *   readonly hasInstallScript?: boolean;
 *   readonly optional?: boolean;
 *   readonly dependencies?: Readonly<Record<string, string>>;
 *   readonly devDependencies?: Readonly<Record<string, string>>;
 *   readonly optionalDependencies?: Readonly<Record<string, string>>;
 * }} Locked
 */
/** @typedef {{ readonly lockfileVersion: number; readonly packages: Readonly<Record<string, Locked>> }} Lockfile */

/** A range of versions, or an alias of another package of the registry; no URL, path or repository. */
const REGISTRY_RANGE = /^(?:npm:(?:@[\w.-]+\/)?[\w.-]+@)?[\w\s.^~<>=|*+-]+$/;

const SHA512 = /^sha512-[A-Za-z0-9+/]{86}==$/;

/**
 * Every violation, one line each.
 * @param {Manifest} manifest
 * @param {Lockfile} lockfile
 * @returns {string[]}
 */
export function lockfileProblems(manifest, { lockfileVersion, packages }) {
  const problems = lockfileVersion === 3 ? [] : [`lockfileVersion is ${lockfileVersion}, not 3`];
  for (const [path, locked] of Object.entries(packages)) {
    const name = path === "" ? "the project" : nameOf(path);
    problems.push(...dependencyProblems(locked).map((problem) => `${name}: ${problem}`));
    if (path !== "") problems.push(...packageProblems(path, locked).map((problem) => `${name}: ${problem}`));
  }
  return [...problems, ...scriptProblems(manifest, packages)];
}

/**
 * `node_modules/a/node_modules/@b/c` is `@b/c`.
 * @param {string} path
 */
function nameOf(path) {
  return path.split("node_modules/").at(-1) ?? path;
}

/** @param {Locked} locked */
function dependencyProblems({ dependencies, devDependencies, optionalDependencies }) {
  return Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
    .filter(([, range]) => !REGISTRY_RANGE.test(range))
    .map(([name, range]) => `depends on ${name} from ${range}`);
}

/**
 * @param {string} path
 * @param {Locked} locked
 */
function packageProblems(path, { version, resolved, integrity, link }) {
  const problems = [];
  if (link === true || !path.startsWith("node_modules/")) problems.push("is a folder, not a package");
  if (version === undefined) problems.push("has no version");
  if (resolved !== undefined) problems.push(`comes from ${resolved}`);
  if (!SHA512.test(integrity ?? "")) problems.push("has no SHA-512");
  return problems;
}

/**
 * allowScripts must list exactly the packages that have install scripts.
 * @param {Manifest} manifest
 * @param {Lockfile["packages"]} packages
 */
function scriptProblems({ allowScripts = {} }, packages) {
  const withScript = new Set(
    Object.entries(packages)
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([path]) => nameOf(path)),
  );
  const unlisted = [...withScript].filter((name) => allowScripts[name] === undefined);
  const superfluous = Object.keys(allowScripts).filter((name) => !withScript.has(name));
  return [
    ...unlisted.map((name) => `${name}: has an install script that allowScripts neither allows nor denies`),
    ...superfluous.map((name) => `${name}: in allowScripts, but has no install script`),
  ];
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const root = join(dirname(argv[1]), "../..");
  const read = (/** @type {string} */ name) =>
    JSON.parse(readFileSync(join(root, name), { encoding: "utf8" }));
  const problems = lockfileProblems(read("package.json"), read("package-lock.json"));
  for (const problem of problems) stderr.write(`package-lock.json: ${problem}\n`);
  if (problems.length > 0) exit(1);
}
