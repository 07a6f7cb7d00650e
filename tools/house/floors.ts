/**
 * The house's floors and who may stand on whom: the one source for the rule (test/structure/import-rule.test.ts) and for
 * the picture of it (docs/ARCHITECTURE.md).
 */

export type Floor = {
  /** A folder under `src/`, or a file that stands alone. */
  readonly name: string;
  /** All may stand on it, by values. */
  readonly ground?: true;
  readonly does: string;
};

/** The way of a request: each floor sees those before it. */
export const FLOORS: readonly Floor[] = [
  {
    name: "refusal",
    ground: true,
    does: "every reason to answer instead of the provider, with status and words",
  },
  { name: "uuid", ground: true, does: "ids: UUIDv7 of our own, and what counts as one of another's" },
  { name: "digest", ground: true, does: "SHA-256 as hex" },
  { name: "http", ground: true, does: "headers both ways, bodies, paths: what HTTP itself asks" },
  {
    name: "provider",
    does: "one file per API: its routes, keys, error bodies, and how its answers tell usage and content",
  },
  { name: "client", does: "which software calls, by its headers: a table; a hint, never proof" },
  { name: "identity", does: "who holds the credential (the actor): one file per source" },
  {
    name: "initiator",
    does: "on whose account: the owner header's grammar, who may use it, signature, directory",
  },
  { name: "policy", does: "what may be asked: one file per policy, the first refusal wins" },
  { name: "upstream", does: "where to, with which key, the one fetch" },
  {
    name: "observation",
    does: "bytes in, the same bytes out, and one conclusion about how the answer ended",
  },
  { name: "events", does: "what is recorded of all that, and what is taken out of it first" },
  { name: "sinks", does: "where events go: log lines, Analytics Engine, the ledger's queue" },
  { name: "ledger", does: "the exact record: queue, database, archive, upkeep" },
  { name: "api", does: "what an admin can ask of the record" },
  { name: "config", does: "the environment, checked once; all problems told at once" },
  { name: "app", does: "a request's whole way, top to bottom" },
  {
    name: "wiring",
    does: "the one place that names concrete providers, identity sources, policies and sinks",
  },
  { name: "index", does: "the Worker's entry: fetch, queue, cron, Durable Objects" },
];

export const NAMES: readonly string[] = FLOORS.map(({ name }) => name);

export const GROUND: ReadonlySet<string> = new Set(
  FLOORS.filter(({ ground }) => ground).map(({ name }) => name),
);

/**
 * Who composes, and may import values (not only types) of what stands before it: the app calls the floors, the wiring
 * names what there is, the entry starts both.
 */
export const COMPOSES: Readonly<Record<string, (floor: string) => boolean>> = {
  app: (floor) => !["sinks", "ledger", "api", "config"].includes(floor),
  wiring: (floor) => floor !== "app" && floor !== "config",
  index: (floor) => ["ledger", "config", "app", "wiring"].includes(floor),
};

/** Who may import which package. */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  identity: ["jose"],
  app: ["hono"],
  index: ["hono"],
};

/** By its path under `src/`; `config-….ts` are the config's other parts. */
export function floorOf(path: string): string {
  const first = path.split("/")[0] ?? "";
  return first.replace(/\.ts$/, "").replace(/^config-[a-z]+$/, "config");
}
