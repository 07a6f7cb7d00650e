/**
 * `npm run audit`: asks the registry which of the installed packages have known weaknesses. Exits with 0 where it knows of
 * none, 1 where it does, 2 where it did not answer: then nothing is known, and nothing is claimed.
 */
import { spawnSync } from "node:child_process";
import { ROOT } from "./supply/tree.ts";

export type Verdict = { readonly code: 0 | 1 | 2; readonly lines: readonly string[] };

type Report = {
  readonly metadata?: { readonly vulnerabilities?: Readonly<Record<string, number>> };
  readonly vulnerabilities?: Readonly<
    Record<string, { readonly severity: string; readonly range: string; readonly isDirect: boolean }>
  >;
  readonly message?: string;
  readonly error?: { readonly summary?: string };
};

/** What `npm audit --json` printed, in a sentence or a line for each package. */
export function verdict(printed: string): Verdict {
  const report = parse(printed);
  const total = report?.metadata?.vulnerabilities?.["total"];
  if (total === undefined) {
    const said = report?.message ?? report?.error?.summary ?? printed.trim().slice(0, 200);
    return {
      code: 2,
      lines: [`The registry did not answer the audit, so nothing is known. It said: ${said || "nothing"}`],
    };
  }
  if (total === 0) return { code: 0, lines: ["The registry knows of no weakness in what is installed."] };
  const lines = Object.entries(report?.vulnerabilities ?? {}).map(
    ([name, { severity, range, isDirect }]) =>
      `${severity}: ${name} ${range}${isDirect ? "" : " (by way of another)"}`,
  );
  return { code: 1, lines: [`The registry knows of ${total}:`, ...lines] };
}

function parse(printed: string): Report | null {
  try {
    return JSON.parse(printed) as Report;
  } catch {
    return null;
  }
}

export async function main(more: readonly string[]): Promise<number> {
  const shell = process.platform === "win32";
  const { stdout } = spawnSync("npm", ["audit", "--json", ...more], { cwd: ROOT, encoding: "utf8", shell });
  const { code, lines } = verdict(stdout ?? "");
  for (const line of lines) (code === 0 ? console.log : console.error)(line);
  return code;
}
