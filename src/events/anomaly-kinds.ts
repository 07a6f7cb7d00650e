/** The kinds of anomalies among many requests. The gateway's bundle does not have them. */

/** An anomaly: what was found, what its `subject` names, and what its `count` counts. */
type Anomaly = { readonly meaning: string; readonly subject: string; readonly count: string };

/** Anomalies among many requests, found by the cron. */
export const ANOMALIES = {
  chat_multiple_initiators: {
    meaning: "one chat id on the accounts of several initiators",
    subject: "the chat",
    count: "initiators",
  },
  actor_multiple_owners: {
    meaning:
      "one actor's requests with one chat id are on the accounts of several initiators, the actor itself included",
    subject: "the chat",
    count: "initiators",
  },
  owner_many_actors: {
    meaning: "more than three actors assert one owner in a day",
    subject: "the owner",
    count: "actors",
  },
  coder_agents_without_headers: {
    meaning: "Coder Agents, as it reports itself, sent neither owner nor chat",
    subject: "the actor",
    count: "requests",
  },
  chat_multiple_actors: {
    meaning: "one chat id with the credentials of several actors, also where the owner was not accepted",
    subject: "the chat",
    count: "actors",
  },
  actor_many_owners: {
    meaning:
      "one actor names many owners within an hour: more than 3 as a person, or as a service more than 20 and three times its busiest hour of the week before",
    subject: "the actor",
    count: "owners",
  },
  owner_without_chat: {
    meaning: "an owner was accepted without the id of a chat",
    subject: "the actor",
    count: "requests",
  },
  unverified_owner_claims: {
    meaning: "callers that no source verified named an owner",
    subject: "the owner, or `rejected` where it was not accepted",
    count: "requests",
  },
  unknown_usage_share: {
    meaning: "at least 10 of an actor's served requests of a day, and a fifth of them, have unknown usage",
    subject: "the actor",
    count: "requests",
  },
  key_many_refusals: {
    meaning: "more than 60 requests with one credential were refused within an hour",
    subject: "the `api_key_id`",
    count: "refusals",
  },
  provider_key_rejected: {
    meaning: "a provider rejected a central key",
    subject: "the provider",
    count: "requests",
  },
  provider_key_leaked: {
    meaning: "a provider's response contained a configured secret",
    subject: "the provider",
    count: "requests",
  },
  asserted_share_spike: {
    meaning: "far more of an hour's requests are `asserted` than of the week before",
    subject: "`asserted`",
    count: "requests",
  },
} as const satisfies Readonly<Record<string, Anomaly>>;
export type AnomalyKind = keyof typeof ANOMALIES;

/** Bound of the initiators and actors that are read per chat, and of the actors per owner: fewer already make an anomaly. */
export const ANOMALY_GROUP_LIMIT = 10;

/** The kinds with their meanings, for documentation. */
export const ANOMALY_KINDS = Object.fromEntries(
  Object.entries(ANOMALIES).map(([kind, { meaning, subject, count }]) => [
    kind,
    `${meaning} (\`subject\`: ${subject}; \`count\`: ${count})`,
  ]),
) as Readonly<Record<AnomalyKind, string>>;

/** null for a kind that this version does not know. */
export const anomalyOf = (kind: string): Anomaly | null =>
  Object.hasOwn(ANOMALIES, kind) ? ANOMALIES[kind as AnomalyKind] : null;
