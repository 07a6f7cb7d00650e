/**
 * The maximum size of the gateway's bundle. Cloudflare's own limits are far higher (gzipped 3 MB on the free plan, 10 MB on
 * the paid one). The budget keeps the cold start short: code is parsed at each one. Raise it in the commit that needs it.
 *
 * 52,900 bytes gzipped after the split into two Workers. Since then:
 *
 * - 4,400: bounds of request bodies, the observer that keeps step with the client, facts about the provider's response
 * - 4,900: the places and names of usage and errors in real responses, the excerpt of a large response
 * - 3,000: the scanner of request bodies, which replaced JSON.parse, and the known fields of each dialect
 * - 3,500: corrected base URLs, CORS, lists of models, more clients, end users
 * - 1,400: hashes of prompts, tool calls without ids, agents of Codex and OpenCode
 * - 2,900: model calls without a conversation, usage that is read later
 * - 5,600: decoding compressed request bodies, the retry without the usage opt-in, the scanner of multipart forms
 * - 2,900: starts of passthroughs, counted refusals, files of batches, errors and figures in further shapes
 * - 1,100: required claims of tokens and their shared issuers, scopes of Coder's tokens
 * - 2,800: HTTP message signatures, tokens with an `act` claim
 * - 1,800: lists of request headers to forward, reserved headers, rules of stored objects
 * - 4,500: the search for configured secrets in responses and records, further forms of secrets that are redacted
 * - 3,000: owners of stored objects: their store, the ids in paths, bodies and responses
 * - 900: the bound of calls with made-up keys; words of the client's body in an error; the rate of bodies that are held
 * - 1,700: facts for incidents: hashes of bodies, ids of objects, the network of a request, the version of the configuration
 * - 1,100: MACs of queue messages, fallback lines and log lines
 */
export const BUDGET = { bytes: 265 * 1024, gzipBytes: 100_900 } as const;

/** The only packages whose code is deployed: `@noble/hashes` with the records Worker alone. */
export const DEPLOYED: readonly string[] = ["@noble/hashes", "hono", "jose"];
