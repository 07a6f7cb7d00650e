/** Advice for the failures of wrangler that a deployment is likely to meet, by the codes of Cloudflare's API. */

/**
 * The codes were observed by others on the real API, since Cloudflare documents few of them: cloudflare/workers-sdk#2968,
 * #5347 and #5940, cloudflare/cloudflare-docs#29844, alchemy-run/distilled#365.
 */
const ADVICE: readonly (readonly [pattern: RegExp, advice: string])[] = [
  [
    /\[code: 10089\]|no_access_to_analytics_engine|enable Analytics Engine/i,
    "Analytics Engine is not enabled for this account: enable it once at https://dash.cloudflare.com/?to=/:account/workers/analytics-engine.",
  ],
  [
    /\[code: (?:10007|10090|10143|10144)\]|script_not_found/,
    "A Worker that is bound or named here does not exist in this account: deploy the records Worker before the gateway, and check the name in [[services]]. Where they bind each other, `npm run deploy` knows the order.",
  ],
  [
    /\[code: 11000\]|Queue ".*" does not exist/,
    "A queue that is named here does not exist in this account: create it with `npx wrangler queues create <queue>`.",
  ],
  [
    /\[code: 11004\]|consumer_exists/,
    "The queue has another consumer: `npx wrangler queues consumer list <queue>` names it, and `npx wrangler queues consumer remove <queue> <script>` removes it.",
  ],
  [
    /\[code: 11001\]/,
    "A queue still delivers to this Worker, which has no queue handler: remove it with `npx wrangler queues consumer remove <queue> <script>`.",
  ],
  [
    /\[code: 10061\]/,
    "The class of a Durable Object, or the Worker in its script_name, does not exist: deploy that Worker first, and give a class of this Worker a [[migrations]] entry.",
  ],
  [
    /\[code: 10181\]|Couldn't find a D1 DB/,
    "A database that is named here does not exist in this account: create it with `npx wrangler d1 create <name>`, or correct database_name and database_id.",
  ],
  [
    /\[code: 10085\]/,
    "A bucket that is named here does not exist in this account: create it with `npx wrangler r2 bucket create <name>`.",
  ],
  [
    /\[code: 10041\]/,
    "A KV namespace that is named here does not exist in this account: correct its id (`npx wrangler kv namespace list`).",
  ],
  [
    /\[code: 10034\]/,
    "The account's email address is not verified: open the link in Cloudflare's message, or send a new one at https://dash.cloudflare.com/profile.",
  ],
  [
    /\[code: (?:10000|10001|10405|9106|9109)\]|Set a CLOUDFLARE_API_TOKEN|set a CLOUDFLARE_API_TOKEN/,
    "Wrangler is not logged in, or has no permission for this: run `npx wrangler login`, or give CLOUDFLARE_API_TOKEN the permission to edit Workers Scripts, Queues and D1 of the account in CLOUDFLARE_ACCOUNT_ID.",
  ],
  [
    /mandatory to specify an account ID|More than one account available/,
    "Wrangler may use several accounts: set CLOUDFLARE_ACCOUNT_ID to the id of one (`npx wrangler whoami`).",
  ],
  [
    /\[code: 10063\]/,
    "The account has no workers.dev subdomain yet: choose one at https://dash.cloudflare.com/?to=/:account/workers/onboarding.",
  ],
];

/** @returns one sentence that says what to do; null where the failure is not known, and only wrangler's output tells. */
export const adviceFor = (output: string): string | null =>
  ADVICE.find(([pattern]) => pattern.test(output))?.[1] ?? null;
