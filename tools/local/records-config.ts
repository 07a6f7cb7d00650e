/**
 * The records Worker's configuration for a local run: wrangler.records.toml with variables
 * added. Wrangler passes
 * `--env-file` to the first Worker only, so that the variables of the second one stand in a configuration of its own.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readProjectConfig } from "../deploy/project-config.ts";
import type { RawConfig } from "../deploy/raw-config.ts";
import { ROOT } from "../root.ts";
import type { Vars } from "./dev-vars.ts";

/**
 * Writes the configuration into `folder` and returns its path. Only this user can read it.
 * @param project The configuration that is changed; by default the shipped one.
 */
export function writeRecordsConfig(
  folder: string,
  vars: Vars,
  changes: object = {},
  project: RawConfig = readProjectConfig(ROOT, "records", { shippedOnly: true }),
): string {
  const { env: _, ...raw } = project;
  const config = {
    ...raw,
    main: join(ROOT, raw.main ?? ""),
    ...(raw.assets && { assets: { ...raw.assets, directory: join(ROOT, raw.assets.directory ?? "") } }),
    vars: { ...raw.vars, ...vars },
    d1_databases: raw.d1_databases?.map((database) => ({
      ...database,
      migrations_dir: join(ROOT, database.migrations_dir ?? ""),
    })),
    ...changes,
  };
  const path = join(folder, "wrangler.records.json");
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}
