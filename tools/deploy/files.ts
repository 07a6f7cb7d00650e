/** The configuration files, by the names that stand in commands, relative to the project. */

/** One file for each Worker. */
export type WorkerFiles = { readonly gateway: string; readonly records: string };

/** The files that git tracks. */
export const SHIPPED_FILES: WorkerFiles = { gateway: "wrangler.toml", records: "wrangler.records.toml" };

/** The operator's own settings, which git ignores. Either file may be absent. */
export const LOCAL_FILES: WorkerFiles = {
  gateway: "wrangler.local.toml",
  records: "wrangler.records.local.toml",
};

/**
 * The files from which wrangler deploys, generated from the others.
 * @param environment The name given to `--env`; null: production.
 */
export function deployedFiles(environment: string | null): WorkerFiles {
  const stem = environment === null ? "wrangler.generated" : `wrangler.generated.${environment}`;
  return { gateway: `${stem}.jsonc`, records: `${stem}.records.jsonc` };
}

/** The records Worker's file without its binding to the gateway. No environment's name has a dot. */
export const unboundFile = (environment: string | null): string =>
  deployedFiles(environment).records.replace(/\.jsonc$/, ".unbound.jsonc");

/** Short enough for the 63 characters of a host name's label, of which the longest script name takes 27. */
const ENVIRONMENT = /^[a-z](?:[a-z0-9-]{0,28}[a-z0-9])?$/;

/** @returns one sentence that says why `--env` is invalid; null if it is valid. */
export function environmentIssue(name: string): string | null {
  // The production file of the records Worker is called wrangler.generated.records.jsonc.
  if (name === "records") return '--env must not be "records", which is the other Worker.';
  return ENVIRONMENT.test(name)
    ? null
    : `--env must be a name of at most 30 lower-case letters, digits and hyphens that begins with a letter, not ${JSON.stringify(name)}.`;
}
