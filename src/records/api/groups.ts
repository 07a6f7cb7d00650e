/** The keys by which totals are grouped. A principal is a source and an id: two sources may give one id to two people. */
import type { DimensionColumn } from "../rollups/contribution-sql.ts";
import { sql, type Sql } from "./kit/sql.ts";

export const GROUP_WORDS = ["initiator", "actor", "client", "provider", "model", "day"] as const;
export type GroupBy = (typeof GROUP_WORDS)[number];

export type Group = {
  readonly key: Sql;
  /** NULL except for a principal, as the name. */
  readonly source: Sql;
  readonly name: Sql;
  /** The dimensions' columns that these are made of. */
  readonly columns: readonly DimensionColumn[];
  readonly isPrincipal: boolean;
};

const NONE = sql`NULL`;
const plain = (key: Sql, columns: readonly DimensionColumn[]): Group => ({
  key,
  source: NONE,
  name: NONE,
  columns,
  isPrincipal: false,
});

/** Of rows of `totalsSql` with the alias `i`. */
export const GROUPS: Readonly<Record<GroupBy, Group>> = {
  initiator: {
    key: sql`i.initiator_id`,
    source: sql`i.initiator_source`,
    name: sql`COALESCE(i.initiator_name,
    CASE WHEN i.actor_id = i.initiator_id AND i.identity_source = i.initiator_source THEN i.actor_name END)`,
    columns: ["initiator_id", "initiator_source", "actor_id", "identity_source"],
    isPrincipal: true,
  },
  actor: {
    key: sql`i.actor_id`,
    source: sql`i.identity_source`,
    name: sql`i.actor_name`,
    columns: ["actor_id", "identity_source"],
    isPrincipal: true,
  },
  client: plain(sql`i.client`, ["client"]),
  provider: plain(sql`i.provider`, ["provider"]),
  model: plain(sql`i.model`, ["model"]),
  day: plain(sql`i.day`, []),
};
