/**
 * What a lockfile must be for `npm ci` to install only what was reviewed: every package from the registry and by its hash
 * (a place of its own names none: `.npmrc`), and install scripts only where package.json allows them by name.
 */

export type Manifest = { readonly allowScripts?: Readonly<Record<string, boolean>> };

export type Lockfile = {
  readonly lockfileVersion: number;
  readonly packages: Readonly<Record<string, Locked>>;
};

type Locked = {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
  readonly optional?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
};

/** A range of versions, or another package of the registry under this name: nothing that names a place. */
const PLAIN = /^(?:npm:(?:@[\w.-]+\/)?[\w.-]+@)?[\w\s.^~<>=|*+-]+$/;

const SHA512 = /^sha512-[A-Za-z0-9+/]{86}==$/;

/** All that is wrong, one line each. */
export function lockfileProblems(manifest: Manifest, { lockfileVersion, packages }: Lockfile): string[] {
  const problems = lockfileVersion === 3 ? [] : [`lockfileVersion is ${lockfileVersion}, not 3`];
  for (const [path, locked] of Object.entries(packages)) {
    const name = path === "" ? "the project" : nameOf(path);
    problems.push(...dependenciesOf(locked).map((problem) => `${name}: ${problem}`));
    if (path !== "") problems.push(...placeOf(path, locked).map((problem) => `${name}: ${problem}`));
  }
  return [...problems, ...scriptsOf(manifest, packages)];
}

/** `node_modules/a/node_modules/@b/c` is `@b/c`. */
function nameOf(path: string): string {
  return path.split("node_modules/").at(-1) ?? path;
}

function dependenciesOf({ dependencies, devDependencies, optionalDependencies }: Locked): string[] {
  return Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
    .filter(([, range]) => !PLAIN.test(range))
    .map(([name, range]) => `depends on ${name} from ${range}`);
}

function placeOf(path: string, { version, resolved, integrity, link }: Locked): string[] {
  const problems: string[] = [];
  if (link === true || !path.startsWith("node_modules/")) problems.push("is a folder, not a package");
  if (version === undefined) problems.push("has no version");
  if (resolved !== undefined) problems.push(`comes from ${resolved}`);
  if (!SHA512.test(integrity ?? "")) problems.push("has no SHA-512");
  return problems;
}

/** The list says what runs, and nothing that does not. */
function scriptsOf({ allowScripts = {} }: Manifest, packages: Lockfile["packages"]): string[] {
  const running = new Set(
    Object.entries(packages)
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([path]) => nameOf(path)),
  );
  const unlisted = [...running].filter((name) => allowScripts[name] === undefined);
  const idle = Object.keys(allowScripts).filter((name) => !running.has(name));
  return [
    ...unlisted.map((name) => `${name}: has an install script that allowScripts neither allows nor denies`),
    ...idle.map((name) => `${name}: in allowScripts, but has no install script`),
  ];
}
