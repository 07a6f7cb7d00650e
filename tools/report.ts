/** `npm run report`: asks an interceptor's API about its records and prints the answers as tables and bars. */
import { parseArgs } from "node:util";
import { adminToken, NO_ADMIN_TOKEN } from "./admin-token.ts";
import { plainText } from "./local/plain-text.ts";
import { sentenceOf } from "./local/start-failure.ts";
import { createApiClient, type ApiClient, type Query } from "./report/api-client.ts";
import { VIEWS, type View } from "./report/views.ts";
import { toCsv, toText } from "./report/print.ts";

const GROUPS = ["initiator", "actor", "client", "provider", "model", "day"];
const USAGE = `Usage: npm run -s report -- [what] [--url http://127.0.0.1:8787] [--days 7] [--by …] [--limit 20] [--csv | --json]

  what      overview (default), ${Object.keys(VIEWS).join(", ")}
  --url     the interceptor's address
  --days    how far back, in days of 24 hours
  --by      for usage: ${GROUPS.join(", ")}
  --initiator, --actor, --client, --model
            only these
  --limit   rows at most
  --csv     one view as CSV
  --json    the API's answers as they are

The admin token is read from INTERCEPTOR_ADMIN_TOKEN; npm start with the emulated provider needs none.
`;

const BAD_USAGE = 2;
const OVERVIEW = ["attribution", "usage", "overrides", "sessions"];
const FILTERS = ["initiator", "actor", "client", "model"] as const;

type Wanted = {
  readonly url: string;
  readonly views: readonly string[];
  readonly query: Query;
  readonly by: string;
  readonly form: "text" | "csv" | "json";
};

export async function main(args: readonly string[]): Promise<number> {
  const wanted = readArguments(args);
  if (wanted === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (typeof wanted === "string") {
    process.stderr.write(`${wanted} (--help shows how.)\n`);
    return BAD_USAGE;
  }
  const token = adminToken(wanted.url);
  if (token === null) {
    process.stderr.write(`${NO_ADMIN_TOKEN}\n`);
    return 1;
  }
  try {
    await print(wanted, createApiClient(wanted.url, token));
    return 0;
  } catch (error) {
    process.stderr.write(`${plainText(sentenceOf(error))}\n`);
    return 1;
  }
}

async function print({ views, query, by, form }: Wanted, api: ApiClient): Promise<void> {
  const answers: Record<string, unknown> = {};
  for (const name of views) {
    const view = VIEWS[name] as View;
    const taken = Object.entries(query).filter(([option]) => view.takes.includes(option));
    const grouped = name === "usage" ? { group_by: by } : {};
    const answer = await api.get(view.path, { ...Object.fromEntries(taken), ...grouped });
    answers[name] = answer;
    if (form === "text") process.stdout.write(`${toText(view, answer, by)}\n\n`);
    if (form === "csv") process.stdout.write(forReader(toCsv(view, answer, by)));
  }
  if (form === "json") {
    const [only] = Object.values(answers);
    process.stdout.write(forReader(`${JSON.stringify(views.length === 1 ? only : answers, null, 2)}\n`));
  }
}

/** As it is for a file or a pipe; a terminal is given nothing that it would act on. */
function forReader(text: string): string {
  return process.stdout.isTTY ? text.split("\n").map(plainText).join("\n") : text;
}

/** What is asked for, one sentence on why that cannot be known, or undefined where help is. */
function readArguments(args: readonly string[]): Wanted | string | undefined {
  const parsed = parse(args);
  if (typeof parsed === "string") return parsed;
  const { values, positionals } = parsed;
  if (values.help) return undefined;
  const [what = "overview", ...more] = positionals;
  if (more.length > 0 || (what !== "overview" && !Object.hasOwn(VIEWS, what)))
    return `What to report is one of overview, ${Object.keys(VIEWS).join(", ")}.`;
  if (!URL.canParse(values.url)) return "--url is not a URL.";
  if (!GROUPS.includes(values.by)) return `--by is one of ${GROUPS.join(", ")}.`;
  const days = Number(values.days);
  if (!(days > 0 && days <= 36_500)) return "--days is a number above 0.";
  if (!/^[1-9]\d{0,2}$/.test(values.limit)) return "--limit is a number from 1 to 999.";
  if (values.csv && values.json) return "--csv and --json exclude each other.";
  if (values.csv && what === "overview") return "--csv is for one view; name it.";
  const filters = FILTERS.flatMap((name) =>
    values[name] === undefined ? [] : [[name, values[name]] as const],
  );
  const views = what === "overview" ? OVERVIEW : [what];
  for (const [name] of filters) {
    const without = views.find((view) => !VIEWS[view]?.takes.includes(name));
    if (without !== undefined) return `--${name} cannot choose ${without}; ask for one view that it can.`;
  }
  const since = new Date(Date.now() - days * 86_400_000).toISOString();
  return {
    url: values.url.replace(/\/+$/, ""),
    views,
    query: { started_after: since, limit: values.limit, ...Object.fromEntries(filters) },
    by: values.by,
    form: values.csv ? "csv" : values.json ? "json" : "text",
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        url: { type: "string", default: "http://127.0.0.1:8787" },
        days: { type: "string", default: "7" },
        by: { type: "string", default: "initiator" },
        limit: { type: "string", default: "20" },
        initiator: { type: "string" },
        actor: { type: "string" },
        client: { type: "string" },
        model: { type: "string" },
        csv: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    return sentenceOf(error).replace(/\. To specify.*$/s, ".");
  }
}
