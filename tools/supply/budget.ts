/**
 * The maximum size of the gateway's bundle. Cloudflare's own limits are far higher (gzipped 3 MB on the free plan, 10 MB on
 * the paid one). The budget keeps the cold start short: code is parsed at each one.
 */
export const BUDGET = { bytes: 414 * 1024, gzipBytes: 151_000 } as const;

/** The only packages whose code is in the console. */
export const CONSOLE_PACKAGES: readonly string[] = ["preact", "preact-iso", "uplot"];

/** All that a browser fetches to show the console, gzipped. */
export const CONSOLE_GZIP_BYTES = 150 * 1024;

/** The size to come back to. `npm run size` says by how much it is missed, and does not fail. */
export const TARGET_GZIP_BYTES = 70_000;

/** The only packages whose code is deployed: `@noble/hashes` with the records Worker alone. */
export const DEPLOYED: readonly string[] = ["@noble/hashes", "aws4fetch", "hono", "jose"];

/** A feature's share of the bundle, gzipped, as measured in the commit that added it. Negative: the bundle shrank. */
export type Addition = { readonly issue: number; readonly what: string; readonly gzipBytes: number };

/** Add a row in the commit that changes the size by 500 bytes or more. `npm run size` prints the sums. */
export const ADDITIONS: readonly Addition[] = [
  { issue: 9, what: "the gateway after the split into two Workers", gzipBytes: 52_900 },
  {
    issue: 10,
    what: "bounds of request bodies, the observer that keeps step with the client, facts about the provider's response",
    gzipBytes: 4_400,
  },
  {
    issue: 12,
    what: "the places and names of usage and errors in real responses, the excerpt of a large response",
    gzipBytes: 4_900,
  },
  {
    issue: 12,
    what: "the scanner of request bodies, which replaced JSON.parse, and the known fields of each dialect",
    gzipBytes: 3_000,
  },
  {
    issue: 12,
    what: "corrected base URLs, CORS, lists of models, more clients, end users",
    gzipBytes: 3_500,
  },
  {
    issue: 12,
    what: "hashes of prompts, tool calls without ids, agents of Codex and OpenCode",
    gzipBytes: 1_400,
  },
  { issue: 12, what: "model calls without a conversation, usage that is read later", gzipBytes: 2_900 },
  {
    issue: 12,
    what: "decoding compressed request bodies, the retry without the usage opt-in, the scanner of multipart forms",
    gzipBytes: 5_600,
  },
  {
    issue: 12,
    what: "starts of passthroughs, counted refusals, files of batches, errors and figures in further shapes",
    gzipBytes: 2_900,
  },
  {
    issue: 13,
    what: "required claims of tokens and their shared issuers, scopes of Coder's tokens",
    gzipBytes: 1_100,
  },
  { issue: 13, what: "HTTP message signatures, tokens with an `act` claim", gzipBytes: 2_800 },
  {
    issue: 13,
    what: "lists of request headers to forward, reserved headers, rules of stored objects",
    gzipBytes: 1_800,
  },
  {
    issue: 13,
    what: "the search for configured secrets in responses and records, further forms of secrets that are redacted",
    gzipBytes: 4_500,
  },
  {
    issue: 13,
    what: "owners of stored objects: their store, the ids in paths, bodies and responses",
    gzipBytes: 3_000,
  },
  {
    issue: 13,
    what: "the bound of calls with made-up keys; words of the client's body in an error; the rate of bodies that are held",
    gzipBytes: 900,
  },
  {
    issue: 13,
    what: "facts for incidents: hashes of bodies, ids of objects, the network of a request, the version of the configuration",
    gzipBytes: 1_700,
  },
  { issue: 14, what: "MACs of queue messages, fallback lines and log lines", gzipBytes: 1_100 },
  { issue: 14, what: "changes of less than 500 bytes each since issue 9", gzipBytes: 2_300 },
  { issue: 15, what: "events and Analytics Engine rows written field by field", gzipBytes: 1_500 },
  { issue: 15, what: "headers read once, one timer for the deadlines of a request", gzipBytes: 400 },
  { issue: 15, what: "bodies scanned in windows of native text", gzipBytes: 1_200 },
  { issue: 15, what: "bursts carried in batches", gzipBytes: 1_000 },
  { issue: 15, what: "events of many requests in one message", gzipBytes: 1_000 },
  { issue: 16, what: "the price table", gzipBytes: 5_900 },
  { issue: 16, what: "the cost of a call, and the settings of prices", gzipBytes: 3_600 },
  {
    issue: 16,
    what: "budgets and rate limits: rules, estimates, reservations, refusals, their API",
    gzipBytes: 12_300,
  },
  { issue: 16, what: "what an isolate sends to one budget object, coalesced", gzipBytes: 900 },
  { issue: 16, what: "the accounts of batches and background responses", gzipBytes: 900 },
  { issue: 16, what: "corrections of costs: their event, the request that books them", gzipBytes: 800 },
  { issue: 16, what: "the fields by which a request runs another model than it names", gzipBytes: 1_200 },
  { issue: 18, what: "states of central keys, repetitions, the record of attempts", gzipBytes: 4_400 },
  { issue: 18, what: "signatures of AWS, presets of Claude on other clouds", gzipBytes: 3_400 },
  { issue: 18, what: "presets of services, the header for keys by provider", gzipBytes: 500 },
  {
    issue: 18,
    what: "circuit breakers, caps of open calls, fallbacks, model ids, and their budgets",
    gzipBytes: 3_400,
  },
  { issue: 18, what: "Azure OpenAI and access tokens of Entra ID", gzipBytes: 2_300 },
  { issue: 18, what: "Cloudflare AI Gateway as an upstream, Coder's actor headers", gzipBytes: 1_000 },
  {
    issue: 18,
    what: "prices of Bedrock, errors of compatible services, the charge of each lost attempt, the log of circuits",
    gzipBytes: 1_000,
  },
];
