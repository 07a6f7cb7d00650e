/**
 * `npm run audit`: queries the registry for known vulnerabilities of the installed packages. Exit code 0: none. 1: at least
 * one. 2: the registry did not respond with a report, so the result is unknown.
 */
import { spawnSync } from "node:child_process";
import { ROOT } from "./root.ts";

export type Verdict = { readonly code: 0 | 1 | 2; readonly lines: readonly string[] };

type Report = {
  readonly metadata?: { readonly vulnerabilities?: Readonly<Record<string, number>> };
  readonly vulnerabilities?: Readonly<
    Record<string, { readonly severity: string; readonly range: string; readonly isDirect: boolean }>
  >;
  readonly message?: string;
  readonly error?: { readonly summary?: string };
};

/** `printed`: the output of `npm audit --json`. The verdict has one sentence, or one line per package. */
export function verdict(printed: string): Verdict {
  const report = parse(printed);
  const total = report?.metadata?.vulnerabilities?.["total"];
  if (total === undefined) {
    const reason = report?.message ?? report?.error?.summary ?? printed.trim().slice(0, 200);
    return {
      code: 2,
      lines: [
        `The registry returned no audit report, so the result is unknown: ${reason || "empty response"}`,
      ],
    };
  }
  if (total === 0) return { code: 0, lines: ["No known vulnerabilities in the installed packages."] };
  const lines = Object.entries(report?.vulnerabilities ?? {}).map(
    ([name, { severity, range, isDirect }]) =>
      `${severity}: ${name} ${range}${isDirect ? "" : " (indirect)"}`,
  );
  return { code: 1, lines: [`Known vulnerabilities: ${total}`, ...lines] };
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
