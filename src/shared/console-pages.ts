/** The console's paths: its pages, and the routes of its session. */
export const CONSOLE_PATH = "/console";

/** Who is signed in; signing in with a token, and signing out. */
export const SESSION_PATH = `${CONSOLE_PATH}/api/session`;
/** Sends the browser to the identity provider. */
export const SIGN_IN_PATH = `${CONSOLE_PATH}/api/sign-in`;
/** Where the identity provider sends the browser back. */
export const CALLBACK_PATH = `${CONSOLE_PATH}/api/callback`;

/** The pages: the first segments of their paths below `/console/`. A path below one of them is the same page. */
export const CONSOLE_PAGES = [
  "people",
  "sessions",
  "interceptions",
  "live",
  "overrides",
  "anomalies",
  "providers",
  "seals",
  "explain",
  "budgets",
  "refusals",
  "passthroughs",
  "accesses",
  "unauthenticated-events",
] as const;

/** Whether the path is one of the console. `path` has been through `readSentTarget`. */
export const isConsolePath = (path: string): boolean =>
  path === CONSOLE_PATH || path.startsWith(`${CONSOLE_PATH}/`);
