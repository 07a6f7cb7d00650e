/**
 * Claude on other clouds: Anthropic's Messages API below a path of its own, with that cloud's credentials, headers and errors.
 * The path stands for the cloud's host.
 */
import type { IncomingHttpHeaders } from "node:http";
import { findSignatureFault, type SigningRules } from "./aws-signature.ts";
import { anthropicError } from "./errors.ts";
import { json, type Reply } from "./reply.ts";
import { freshId } from "./tokens.ts";

export type CloudRequest = {
  readonly method: string;
  /** The path and the query, as received. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
};

export type CloudReply = { readonly reply: Reply; readonly headers?: Readonly<Record<string, string>> };

export type AwsKeys = SigningRules["keys"];

export type Cloud = {
  /** The start of the path. The API's own paths follow it. */
  readonly prefix: string;
  readonly does: string;
  /** The headers of every response beside Anthropic's. */
  readonly headers: () => Readonly<Record<string, string>>;
  /** The error for a request that the cloud rejects before it reaches the API; null where it accepts it. */
  readonly refuse: (request: CloudRequest, keys: AwsKeys) => Promise<CloudReply | null>;
  /** The cloud's own error of that status; null where it passes on Anthropic's. */
  readonly fault: (status: number) => CloudReply | null;
};

/** The access key that the emulator accepts by default. */
export const EMULATED_AWS_KEYS: AwsKeys = {
  AKIAEMULATED00000000: { secretAccessKey: "emulated/secret+access-key-0123456789" },
};

/** An error of AWS's front: the body has only a message, and a header names it. */
const awsError = (status: number, type: string, message: string): CloudReply => ({
  reply: json({ message }, status),
  headers: { "x-amzn-errortype": `${type}:http://internal.amazon.com/coral/com.amazon.coral.service/` },
});
const azureError = (status: number, code: string, message: string): CloudReply => ({
  reply: json({ error: { code, message } }, status),
});

const THROTTLED = awsError(429, "ThrottlingException", "Too many requests, please wait before trying again.");

const awsHeaders = (): Readonly<Record<string, string>> => ({
  "x-amzn-requestid": freshId("", 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"),
});

const hasValue = (value: string | string[] | undefined): boolean => (value ?? "") !== "";
const isBearer = ({ authorization = "" }: IncomingHttpHeaders): boolean => /^Bearer \S/i.test(authorization);

/** The error for a request to AWS without a key in one of the headers and without a valid signature. */
async function checkAws(
  { headers, ...request }: CloudRequest,
  keys: AwsKeys,
  service: string,
): Promise<CloudReply | null> {
  if (headers.authorization === undefined)
    return awsError(403, "MissingAuthenticationTokenException", "Missing Authentication Token");
  const single = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(",") : value]),
  );
  const found = await findSignatureFault({ ...request, headers: single }, { keys, service, now: Date.now() });
  return found && awsError(403, found.type, found.message);
}

/** The beta features that Claude Code sends to Bedrock. Bedrock rejects those that it does not know. */
const MANTLE_BETAS: ReadonlySet<string> = new Set([
  "claude-code-20250219",
  "interleaved-thinking-2025-05-14",
  "context-management-2025-06-27",
  "tool-search-tool-2025-10-19",
  "effort-2025-11-24",
]);

const hasUnknownBeta = (headers: IncomingHttpHeaders): boolean =>
  String(headers["anthropic-beta"] ?? "")
    .split(",")
    .some((name) => name.trim() !== "" && !MANTLE_BETAS.has(name.trim()));

const FOUNDRY: Cloud = {
  prefix: "/foundry/anthropic",
  does: "Microsoft Foundry: a key in x-api-key or api-key, or a bearer token",
  headers: () => ({ "apim-request-id": crypto.randomUUID(), "x-ms-region": "East US 2" }),
  refuse: async ({ headers }) =>
    hasValue(headers["x-api-key"]) || hasValue(headers["api-key"]) || isBearer(headers)
      ? null
      : azureError(
          401,
          "401",
          "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.",
        ),
  fault: (status) =>
    status === 429
      ? azureError(429, "RateLimitReached", "The request rate limit is reached. Please retry after 1 second.")
      : null,
};

const MANTLE: Cloud = {
  prefix: "/bedrock-mantle/anthropic",
  does: "Amazon Bedrock (Mantle): a bearer token, or a signature for bedrock-mantle",
  headers: awsHeaders,
  refuse: async (request, keys) => {
    const refused = isBearer(request.headers) ? null : await checkAws(request, keys, "bedrock-mantle");
    if (refused) return refused;
    return hasUnknownBeta(request.headers) ? { reply: anthropicError(400, "invalid beta flag") } : null;
  },
  fault: (status) => (status === 429 ? THROTTLED : null),
};

const CLAUDE_AWS: Cloud = {
  prefix: "/claude-aws",
  does: "Claude Platform on AWS: a key in x-api-key or as bearer token, or a signature for aws-external-anthropic, and a workspace",
  headers: awsHeaders,
  refuse: async (request, keys) => {
    const { headers } = request;
    const hasKey = hasValue(headers["x-api-key"]) || isBearer(headers);
    const refused = hasKey ? null : await checkAws(request, keys, "aws-external-anthropic");
    if (refused) return refused;
    return hasValue(headers["anthropic-workspace-id"])
      ? null
      : { reply: anthropicError(400, "anthropic-workspace-id: header is required") };
  },
  fault: (status) => (status === 429 ? THROTTLED : null),
};

const CLOUDS: readonly Cloud[] = [FOUNDRY, MANTLE, CLAUDE_AWS];

/** The cloud that the path belongs to; undefined for the providers' own APIs. */
export const cloudOf = (path: string): Cloud | undefined =>
  CLOUDS.find(({ prefix }) => path.startsWith(`${prefix}/`));

/** The help text: each cloud's path, and the credentials that it accepts. */
export const cloudTable = (): string => {
  const width = Math.max(...CLOUDS.map(({ prefix }) => prefix.length));
  return CLOUDS.map(({ prefix, does }) => `  ${prefix.padEnd(width)}  ${does}`).join("\n");
};
