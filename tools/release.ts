/**
 * `npm version <minor|patch>` runs this after it has written the version: the changelog's section _Unreleased_ becomes the
 * section of that version, with the date.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./root.ts";

const UNRELEASED = "## [Unreleased]";

/**
 * The changelog with an empty section _Unreleased_ above the new version's. `date`: year, month and day, UTC.
 * @throws where there is nothing to release, or the version is there already.
 */
export function releasedChangelog(changelog: string, version: string, date: string): string {
  const [before, after, ...others] = changelog.split(`${UNRELEASED}\n`);
  if (before === undefined || after === undefined || others.length > 0)
    throw new Error(`CHANGELOG.md must have one section ${UNRELEASED}`);
  if (changelog.includes(`## [${version}]`)) throw new Error(`CHANGELOG.md has a section ${version} already`);
  const section = after.split(/^## \[/m)[0] ?? "";
  if (section.trim() === "") throw new Error(`CHANGELOG.md has nothing below ${UNRELEASED}`);
  return `${before}${UNRELEASED}\n\n## [${version}] - ${date}\n${after}`;
}

export async function main(): Promise<number> {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    readonly version: string;
  };
  const file = join(ROOT, "CHANGELOG.md");
  const date = new Date().toISOString().slice(0, 10);
  writeFileSync(file, releasedChangelog(readFileSync(file, "utf8"), version, date));
  console.log(`CHANGELOG.md: version ${version}, ${date}`);
  return 0;
}
