/** `npm run report`: queries the records API and prints the results as tables and bars. */
import { parseArgs } from "node:util";
import { accessHeaders } from "./access-token.ts";
import { adminToken, NO_ADMIN_TOKEN } from "./admin-token.ts";
import { plainText } from "./local/plain-text.ts";
import { argumentError, BAD_USAGE, sentenceOf } from "./local/start-failure.ts";
import { createApiClient, type Query } from "./report/api-client.ts";
import { DEFAULT_ROWS, MAX_ROWS, printReport, type Command } from "./report/output.ts";
import { awaitDelivery } from "./report/undelivered.ts";
import { isOfSession, VIEWS, type View } from "./report/views.ts";

const GROUPS = ["initiator", "actor", "client", "provider", "model", "day"];
const USAGE = `Usage: npm run -s report -- [view] [--url http://127.0.0.1:8787] [--days 30 | --from <day> [--to <day>]]
                              [--by …] [--limit 20] [--csv | --json]

  view      overview (default), ${Object.keys(VIEWS).join(", ")}
  --url     the gateway's address
  --days    length of the period until now, in days of 24 hours; by default 30
  --from    first day of the period, as 2026-11-01, in UTC
  --to      the day after the period, as 2026-12-01; by default the period lasts until now
  --by      for usage and spend: ${GROUPS.join(", ")}
  --and     for spend: a second one of them
  --session for agents: the id of a session, or of one of its interceptions
  --initiator, --actor, --client, --model
            filters
  --limit   maximum number of rows: by default ${DEFAULT_ROWS}, for CSV all
  --csv     print every row of one view as CSV, with more columns; usage is then ordered by key
  --json    print the API's responses unchanged

The admin token is read from INTERCEPTOR_ADMIN_TOKEN. npm start with the emulated provider requires none.
Behind Cloudflare Access, CF_ACCESS_CLIENT_ID and CF_ACCESS_CLIENT_SECRET are sent as the service token.
`;

const OVERVIEW = ["attribution", "usage", "overrides", "sessions"];
const FILTERS = ["initiator", "actor", "client", "model"] as const;

export async function main(args: readonly string[]): Promise<number> {
  const command = readArguments(args);
  if (command === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (typeof command === "string") {
    process.stderr.write(`${command} (See --help.)\n`);
    return BAD_USAGE;
  }
  const token = adminToken(command.url);
  if (token === null) {
    process.stderr.write(`${NO_ADMIN_TOKEN}\n`);
    return 1;
  }
  try {
    const api = createApiClient(command.url, token, accessHeaders(command.url));
    await awaitDelivery(command.url, (line) => void process.stderr.write(`${line}\n`));
    await printReport(command, api);
    return 0;
  } catch (error) {
    process.stderr.write(`${plainText(sentenceOf(error))}\n`);
    return 1;
  }
}

/** @returns the command; one sentence that says why the arguments are invalid; undefined for `--help`. */
function readArguments(args: readonly string[]): Command | string | undefined {
  const parsed = parse(args);
  if (typeof parsed === "string") return parsed;
  const { values, positionals } = parsed;
  if (values.help) return undefined;
  const [name = "overview", ...more] = positionals;
  if (more.length > 0 || (name !== "overview" && !Object.hasOwn(VIEWS, name)))
    return `The view must be one of overview, ${Object.keys(VIEWS).join(", ")}.`;
  if (!URL.canParse(values.url)) return "--url must be a URL.";
  if (!GROUPS.includes(values.by)) return `--by must be one of ${GROUPS.join(", ")}.`;
  const period = readPeriod(values, Date.now());
  if (typeof period === "string") return period;
  if (
    values.and !== undefined &&
    (name !== "spend" || !GROUPS.includes(values.and) || values.and === values.by)
  )
    return `--and applies to spend, and must be another one of ${GROUPS.join(", ")} than --by.`;
  const limit = values.limit === undefined ? null : Number(values.limit);
  if (limit !== null && !(Number.isInteger(limit) && limit > 0 && (values.csv || limit <= MAX_ROWS)))
    return `--limit must be a number from 1 to ${MAX_ROWS}, or above with --csv.`;
  if (values.csv && values.json) return "--csv and --json exclude each other.";
  if (values.csv && name === "overview") return "--csv requires the name of one view.";
  const ofSession = name !== "overview" && isOfSession(VIEWS[name] as View);
  if (ofSession && !values.session) return `${name} requires --session.`;
  if (!ofSession && values.session !== undefined) return "--session applies to agents only.";
  const filters = FILTERS.flatMap((filter) =>
    values[filter] === undefined ? [] : [[filter, values[filter]] as const],
  );
  const views = name === "overview" ? OVERVIEW : [name];
  for (const [filter] of filters) {
    const without = views.find((view) => !VIEWS[view]?.options.includes(filter));
    if (without !== undefined)
      return `--${filter} does not apply to ${without}; name one view that it applies to.`;
  }
  return {
    url: values.url.replace(/\/+$/, ""),
    views,
    query: {
      ...period,
      ...Object.fromEntries(filters),
      ...(values.and === undefined ? {} : { then_by: values.and }),
    },
    limit,
    session: values.session ?? null,
    by: values.by,
    format: values.csv ? "csv" : values.json ? "json" : "text",
  };
}

type PeriodOptions = {
  readonly days?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
};

/** @returns the period as the API's parameters; one sentence that says why the options are invalid. */
export function readPeriod({ days, from, to }: PeriodOptions, now: number): Query | string {
  if (from === undefined) {
    if (to !== undefined) return "--to requires --from.";
    const length = Number(days ?? DEFAULT_DAYS);
    if (!(length > 0 && length <= 36_500)) return "--days must be a number above 0.";
    return { started_after: new Date(now - length * DAY_MS).toISOString() };
  }
  if (days !== undefined) return "--days and --from exclude each other.";
  const begin = startOf(from);
  if (begin === null) return "--from must be a day, as 2026-11-01.";
  const started_after = new Date(begin).toISOString();
  if (to === undefined) return { started_after };
  const end = startOf(to);
  if (end === null) return "--to must be a day, as 2026-12-01.";
  if (end <= begin) return "--to must be later than --from.";
  // The API's end is inclusive: a request at midnight belongs to the next period only.
  return { started_after, started_before: new Date(end - 1).toISOString() };
}

const DAY_MS = 86_400_000;

/** As the API's own default. */
const DEFAULT_DAYS = "30";

/** The day's first millisecond in UTC; null where the text is no day of the calendar. */
export function startOf(day: string): number | null {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  // Date.parse accepts the 31st of a month of 30 days.
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day) ? time : null;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        url: { type: "string", default: "http://127.0.0.1:8787" },
        days: { type: "string" },
        from: { type: "string" },
        to: { type: "string" },
        by: { type: "string", default: "initiator" },
        and: { type: "string" },
        limit: { type: "string" },
        session: { type: "string" },
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
    return argumentError(error);
  }
}
