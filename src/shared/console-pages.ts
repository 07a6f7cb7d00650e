/** The console's pages: the first segments of their paths below `/console/`. A path below one of them is the same page. */
export const CONSOLE_PATH = "/console";

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
