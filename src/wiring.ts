/**
 * The one place that names concrete providers, identity sources, policies and sinks. Another of them is one file and
 * one line here.
 */
import type { Parts } from "./app.ts";
import type { Catalogue, Config } from "./config.ts";
import type { Sink } from "./events/recorder.ts";
import { byok } from "./identity/byok.ts";
import { keys } from "./identity/keys.ts";
import { modelsPolicy } from "./policy/models.ts";
import { anthropic } from "./provider/anthropic.ts";
import { openai } from "./provider/openai.ts";
import { analyticsEngineSink } from "./sinks/analytics-engine.ts";
import { logSink } from "./sinks/log.ts";

/** What `PROVIDERS` and `IDENTITY` can name. */
export const catalogue: Catalogue = {
  dialects: [openai, anthropic],
  sources: [byok, keys],
};

/** Speaks where no route says in whose dialect. */
export const fallbackDialect = openai;

const sinks = (config: Config): Sink[] => [
  logSink((line) => console.log(line)),
  analyticsEngineSink(config.interceptions, config.overrides),
];

/** The app's parts as they are in production. */
export function wire(config: Config): Parts {
  return {
    config,
    policies: [modelsPolicy],
    sinks: sinks(config),
    fallbackDialect,
    fetch: (input, init) => fetch(input, init),
    now: () => Date.now(),
    randomUuid: () => crypto.randomUUID(),
    complain: (line) => console.error(line),
  };
}
