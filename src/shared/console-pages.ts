/** The console's pages: the first segments of their paths below `/console/`. A path below one of them is the same page. */
export const CONSOLE_PATH = "/console";

export const CONSOLE_PAGES = [
  "overview",
  "live",
  "sessions",
  "interceptions",
  "agents",
  "people",
  "owners",
  "models",
  "providers",
  "clients",
  "usage",
  "spend",
  "budgets",
  "attribution",
  "overrides",
  "passthroughs",
  "anomalies",
  "refusals",
  "explain",
  "accesses",
  "seals",
  "evidence",
  "unauthenticated-events",
  "settings",
  "sign-in",
] as const;

/** Whether the path is one of the console. `path` has been through `readTarget`. */
export const isConsolePath = (path: string): boolean =>
  path === CONSOLE_PATH || path.startsWith(`${CONSOLE_PATH}/`);
