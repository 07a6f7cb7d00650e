/**
 * `npm run notices`: writes THIRD-PARTY-NOTICES.md, the licenses of the packages whose code is deployed with the Workers and the console.
 * test/supply/notices.test.ts fails when it is out of date.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./root.ts";
import { CONSOLE_PACKAGES, DEPLOYED } from "./supply/budget.ts";

const FILE = join(ROOT, "THIRD-PARTY-NOTICES.md");

const INTRODUCTION = `# Third-party notices

The deployed Workers and the deployed web console contain code of these packages. Each package has its own license. \`npm run notices\` writes this file.
`;

/**
 * The text of the file.
 * @throws where a package has no license file: its code must not be deployed then.
 */
export function noticesText(
  packages = [...DEPLOYED, ...CONSOLE_PACKAGES],
  modules = join(ROOT, "node_modules"),
): string {
  return [INTRODUCTION, ...packages.map((name) => noticeOf(name, join(modules, name)))].join("\n");
}

function noticeOf(name: string, folder: string): string {
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    readonly version: string;
    readonly license: string;
  };
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(?:\.|$)/i.test(entry));
  if (file === undefined) throw new Error(`${name} has no license file`);
  const text = readFileSync(join(folder, file), "utf8").trim();
  return `## ${name} ${version} (${license})\n\n\`\`\`text\n${text}\n\`\`\`\n`;
}

export const storedNotices = (): string => readFileSync(FILE, "utf8");

export async function main(): Promise<number> {
  writeFileSync(FILE, noticesText());
  return 0;
}
