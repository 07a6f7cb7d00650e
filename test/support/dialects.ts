/**
 * The dialects of `wiring.ts`. Socket tests run in Node and cannot import that file, which needs the Worker's types.
 * test/gateway/app/every-route.test.ts fails if a dialect is missing here.
 */
import { anthropic } from "../../src/gateway/provider/anthropic/dialect.ts";
import { azure } from "../../src/gateway/provider/azure/dialect.ts";
import { openai } from "../../src/gateway/provider/openai/dialect.ts";
import type { Dialect } from "../../src/gateway/provider/provider.ts";

export const DIALECTS: readonly Dialect[] = [openai, anthropic, azure];

/** A path of a route: a deployment's name in place of the segment in braces. */
export const samplePath = (path: string): string => path.replace(/\{\w+\}/, "gpt-dep");

/**
 * Whether the root has the dialect's paths where each provider has its dialect's name: those of Azure begin with `/openai`,
 * which then names a provider.
 */
export const isAtRoot = ({ mount }: Pick<Dialect, "mount">): boolean =>
  !DIALECTS.some(({ type }) => mount === `/${type}`);
