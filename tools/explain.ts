/**
 * `npm run explain`: asks an interceptor what would become of a request of these headers, and why. The headers go to its
 * API and nowhere else, and are not printed.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { adminToken, NO_ADMIN_TOKEN } from "./admin-token.ts";
import { toText, type Explanation } from "./explain/print.ts";
import { sentenceOf } from "./local/start-failure.ts";
import { createApiClient } from "./report/api-client.ts";

const USAGE = `Usage: npm run -s explain -- --header "Name: value" … [--path /v1/chat/completions] [--method POST]
         [--body file | --body-sha256 hex] [--url http://127.0.0.1:8787] [--json]

  --header       one header, or @file with one on each line (@- reads them from the standard input), so that
                 credentials need not stand on the command line
  --path         where the request would go, with its query
  --body         the file that would be its body: only for a signature, and only its SHA-256 is sent
  --body-sha256  the same, where the file is not at hand
  --url          the interceptor's address
  --json         the API's answer as it is

The admin token is read from INTERCEPTOR_ADMIN_TOKEN; npm start with the emulated provider needs none.
`;

const BAD_USAGE = 2;

type Pair = readonly [name: string, value: string];

type Wanted = {
  readonly url: string;
  readonly json: boolean;
  readonly described: {
    readonly method: string;
    readonly path: string;
    readonly headers: readonly Pair[];
    readonly body_sha256?: string;
  };
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
    const answer = await createApiClient(wanted.url, token).post("explain", wanted.described);
    const text = wanted.json ? JSON.stringify(answer, null, 2) : toText(answer as Explanation);
    process.stdout.write(`${text}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`${sentenceOf(error)}\n`);
    return 1;
  }
}

/** What is asked for, one sentence on why that cannot be known, or undefined where help is. */
export function readArguments(args: readonly string[]): Wanted | string | undefined {
  const parsed = parse(args);
  if (typeof parsed === "string") return parsed;
  const { header, url, path, method, json, body, "body-sha256": given, help } = parsed;
  if (help) return undefined;
  if (!URL.canParse(url)) return "--url is not a URL.";
  if (!path.startsWith("/")) return "--path begins with a slash.";
  if (body !== undefined && given !== undefined) return "--body and --body-sha256 exclude each other.";
  if (given !== undefined && !/^[0-9a-f]{64}$/i.test(given)) return "--body-sha256 is 64 hex digits.";
  const lines = header.map(linesOf);
  const failed = lines.find((line) => typeof line === "string");
  if (failed !== undefined) return failed;
  const headers = lines.flat().map(toPair);
  // Not the header itself: it may be a credential whose name was left out.
  if (headers.some((pair) => pair === null)) return "A header is a name, a colon and a value.";
  const sha256 = body === undefined ? given?.toLowerCase() : sha256Of(body);
  if (sha256 === null) return "--body cannot be read.";
  return {
    url: url.replace(/\/+$/, ""),
    json,
    described: {
      method: method.toUpperCase(),
      path,
      headers: headers.filter((pair) => pair !== null),
      ...(sha256 !== undefined && { body_sha256: sha256 }),
    },
  };
}

/** The header itself, or those in the file that it names; a sentence where that cannot be read. */
function linesOf(header: string): readonly string[] | string {
  if (!header.startsWith("@")) return [header];
  try {
    const text = readFileSync(header === "@-" ? 0 : header.slice(1), "utf8");
    return text.split(/\r?\n/).filter((line) => line.trim() !== "");
  } catch {
    return "--header names a file that cannot be read.";
  }
}

function toPair(line: string): Pair | null {
  const [, name, value] = /^([^\s:]+):[ \t]*(.*)$/.exec(line) ?? [];
  return name === undefined || value === undefined ? null : [name, value];
}

function sha256Of(file: string): string | null {
  try {
    return createHash("sha256").update(readFileSync(file)).digest("hex");
  } catch {
    return null;
  }
}

function parse(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        header: { type: "string", short: "H", multiple: true, default: [] },
        path: { type: "string", default: "/v1/chat/completions" },
        method: { type: "string", default: "POST" },
        body: { type: "string" },
        "body-sha256": { type: "string" },
        url: { type: "string", default: "http://127.0.0.1:8787" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    return values;
  } catch (error) {
    // Of what does not fit only its place is told: it may be a credential without its option.
    const { code } = error as { readonly code?: unknown };
    return code === "ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL"
      ? "There is an argument without an option."
      : sentenceOf(error).replace(/\. To specify.*$/s, ".");
  }
}
