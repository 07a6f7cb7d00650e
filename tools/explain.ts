/**
 * `npm run explain`: reports how a gateway would decide on a request with these headers, and why. The headers are sent to
 * its API only, and are not printed.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { parseObject } from "../src/shared/json.ts";
import { accessHeaders } from "./access-token.ts";
import { adminToken, NO_ADMIN_TOKEN } from "./admin-token.ts";
import { toText, type Explanation } from "./explain/print.ts";
import { argumentError, BAD_USAGE, sentenceOf } from "./local/start-failure.ts";
import { createApiClient } from "./report/api-client.ts";

const USAGE = `Usage: npm run -s explain -- --header "Name: value" … [--path /v1/chat/completions] [--method POST]
         [--body file | --body-sha256 hex] [--model name [--body-bytes n] [--output-limit n]]
         [--url http://127.0.0.1:8787] [--json]

  --header       one header, or @file with one per line (@- reads standard input), which keeps credentials off
                 the command line
  --path         path and query of the request
  --body         file with the request's body, for a signature and for budgets; only its SHA-256, its model, its size and
                 its limit of output tokens are sent
  --body-sha256  the body's SHA-256 instead of the file
  --model        the body's model, for budgets, without the file; --body-bytes is the body's size, and --output-limit its
                 limit of output tokens
  --url          the gateway's address
  --json         print the API's response unchanged

The admin token is read from INTERCEPTOR_ADMIN_TOKEN. npm start with the emulated provider requires none.
Behind Cloudflare Access, CF_ACCESS_CLIENT_ID and CF_ACCESS_CLIENT_SECRET are sent as the service token.
`;

type Pair = readonly [name: string, value: string];

type Command = {
  readonly url: string;
  readonly json: boolean;
  /** The body of the API call. */
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers: readonly Pair[];
    readonly body_sha256?: string;
    readonly model?: string;
    readonly body_bytes?: number;
    readonly output_limit?: number;
  };
};

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
    const response = await createApiClient(command.url, token, accessHeaders(command.url)).post(
      "explain",
      command.request,
    );
    const text = command.json ? JSON.stringify(response, null, 2) : toText(response as Explanation);
    process.stdout.write(`${text}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`${sentenceOf(error)}\n`);
    return 1;
  }
}

/** @returns the command; one sentence that says why the arguments are invalid; undefined for `--help`. */
export function readArguments(args: readonly string[]): Command | string | undefined {
  const parsed = parse(args);
  if (typeof parsed === "string") return parsed;
  const { header, url, path, method, json, body, "body-sha256": bodySha256, help } = parsed;
  if (help) return undefined;
  if (!URL.canParse(url)) return "--url must be a URL.";
  if (!path.startsWith("/")) return "--path must begin with a slash.";
  if (body !== undefined && bodySha256 !== undefined) return "--body and --body-sha256 exclude each other.";
  if (bodySha256 !== undefined && !/^[0-9a-f]{64}$/i.test(bodySha256))
    return "--body-sha256 must be 64 hex digits.";
  const lines = header.map(linesOf);
  const failure = lines.find((line) => typeof line === "string");
  if (failure !== undefined) return failure;
  const headers = lines.flat().map(toPair);
  // The message omits the header: it may be a credential whose name is missing.
  if (headers.some((pair) => pair === null)) return "A header must be a name, a colon and a value.";
  const sha256 = body === undefined ? bodySha256?.toLowerCase() : sha256Of(body);
  if (sha256 === null) return "--body cannot be read.";
  const figures = body === undefined ? figuresOf(parsed) : usageOf(body);
  if (typeof figures === "string") return figures;
  if (body !== undefined && parsed.model !== undefined) return "--body and --model exclude each other.";
  return {
    url: url.replace(/\/+$/, ""),
    json,
    request: {
      method: method.toUpperCase(),
      path,
      headers: headers.filter((pair) => pair !== null),
      ...(sha256 !== undefined && { body_sha256: sha256 }),
      ...figures,
    },
  };
}

/** The header, or those in the file that it names; one sentence where the file cannot be read. */
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

/** The figures by which budgets reserve; none where the body is not JSON, or names no model. */
function usageOf(file: string): Partial<Command["request"]> {
  const bytes = readFileSync(file);
  const body = parseObject(bytes.toString("utf8"));
  const { model } = body ?? {};
  if (typeof model !== "string") return {};
  const limits = ["max_tokens", "max_completion_tokens", "max_output_tokens"].flatMap((name) => {
    const limit = body?.[name];
    return Number.isSafeInteger(limit) && (limit as number) >= 0 ? [limit as number] : [];
  });
  return {
    model,
    body_bytes: bytes.byteLength,
    ...(limits.length === 0 ? {} : { output_limit: Math.max(...limits) }),
  };
}

type FigureOptions = {
  readonly model?: string | undefined;
  readonly "body-bytes"?: string | undefined;
  readonly "output-limit"?: string | undefined;
};

/** The same figures from the arguments, or one sentence that says what is wrong with them. */
function figuresOf(options: FigureOptions): Partial<Command["request"]> | string {
  const { model } = options;
  const counts = { body_bytes: options["body-bytes"], output_limit: options["output-limit"] };
  const given = Object.entries(counts).filter(([, text]) => text !== undefined);
  if (model === undefined)
    return given.length === 0 ? {} : "--body-bytes and --output-limit require --model.";
  const wrong = given.find(([, text]) => !/^\d{1,15}$/.test(text ?? ""));
  if (wrong) return `--${wrong[0].replace("_", "-")} must be a whole number that is not negative.`;
  return { model, ...Object.fromEntries(given.map(([name, text]) => [name, Number(text)])) };
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
        model: { type: "string" },
        "body-bytes": { type: "string" },
        "output-limit": { type: "string" },
        url: { type: "string", default: "http://127.0.0.1:8787" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    return values;
  } catch (error) {
    // The message omits an unexpected argument: it may be a credential without its option.
    const { code } = error as { readonly code?: unknown };
    return code === "ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL"
      ? "There is an argument without an option."
      : argumentError(error);
  }
}
