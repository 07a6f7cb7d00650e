/** The configuration files, by the names that stand in commands, relative to the project. */

/** The two files that an operator edits, and the one that is generated from wrangler.toml. */
export const FILES = {
  gateway: "wrangler.toml",
  generated: "wrangler.generated.toml",
  records: "wrangler.records.toml",
} as const;

/** The two files from which wrangler deploys. */
export type DeployedFiles = { readonly gateway: string; readonly records: string };

/** @param environment The name given to `--env`; null: production. */
export const deployedFiles = (environment: string | null): DeployedFiles =>
  environment === null
    ? { gateway: FILES.generated, records: FILES.records }
    : {
        gateway: `wrangler.generated.${environment}.jsonc`,
        records: `wrangler.generated.${environment}.records.jsonc`,
      };

/** Short enough for the 63 characters of a host name's label, of which the longest script name takes 27. */
const ENVIRONMENT = /^[a-z](?:[a-z0-9-]{0,28}[a-z0-9])?$/;

/** @returns one sentence that says why `--env` is invalid; null if it is valid. */
export const environmentIssue = (name: string): string | null =>
  ENVIRONMENT.test(name)
    ? null
    : `--env must be a name of at most 30 lower-case letters, digits and hyphens that begins with a letter, not ${JSON.stringify(name)}.`;
