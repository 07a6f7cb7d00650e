/**
 * The rules for a lockfile, so that `npm ci` installs only reviewed code: every package comes from the registry and has a
 * hash (`.npmrc` omits the URLs), and install scripts run only where package.json allows them by name.
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

/** A range of versions, or an alias of another package of the registry; no URL, path or repository. */
const REGISTRY_RANGE = /^(?:npm:(?:@[\w.-]+\/)?[\w.-]+@)?[\w\s.^~<>=|*+-]+$/;

const SHA512 = /^sha512-[A-Za-z0-9+/]{86}==$/;

/** Every violation, one line each. */
export function lockfileProblems(manifest: Manifest, { lockfileVersion, packages }: Lockfile): string[] {
  const problems = lockfileVersion === 3 ? [] : [`lockfileVersion is ${lockfileVersion}, not 3`];
  for (const [path, locked] of Object.entries(packages)) {
    const name = path === "" ? "the project" : nameOf(path);
    problems.push(...dependencyProblems(locked).map((problem) => `${name}: ${problem}`));
    if (path !== "") problems.push(...packageProblems(path, locked).map((problem) => `${name}: ${problem}`));
  }
  return [...problems, ...scriptProblems(manifest, packages)];
}

/** `node_modules/a/node_modules/@b/c` is `@b/c`. */
function nameOf(path: string): string {
  return path.split("node_modules/").at(-1) ?? path;
}

function dependencyProblems({ dependencies, devDependencies, optionalDependencies }: Locked): string[] {
  return Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
    .filter(([, range]) => !REGISTRY_RANGE.test(range))
    .map(([name, range]) => `depends on ${name} from ${range}`);
}

function packageProblems(path: string, { version, resolved, integrity, link }: Locked): string[] {
  const problems: string[] = [];
  if (link === true || !path.startsWith("node_modules/")) problems.push("is a folder, not a package");
  if (version === undefined) problems.push("has no version");
  if (resolved !== undefined) problems.push(`comes from ${resolved}`);
  if (!SHA512.test(integrity ?? "")) problems.push("has no SHA-512");
  return problems;
}

/** allowScripts must list exactly the packages that have install scripts. */
function scriptProblems({ allowScripts = {} }: Manifest, packages: Lockfile["packages"]): string[] {
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
