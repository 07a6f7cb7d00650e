/**
 * The dialects of `wiring.ts`. Socket tests run in Node and cannot import that file, which needs the Worker's types.
 * test/gateway/app/every-route.test.ts fails if a dialect is missing here.
 */
import { anthropic } from "../../src/gateway/provider/anthropic/dialect.ts";
import { openai } from "../../src/gateway/provider/openai/dialect.ts";
import type { Dialect } from "../../src/gateway/provider/provider.ts";

export const DIALECTS: readonly Dialect[] = [openai, anthropic];
