/**
 * The dialects that `wiring.ts` has, for tests over sockets, which cannot read it: it is written for the Worker's own
 * types. test/gateway/app/every-route.test.ts fails where a dialect is missing here.
 */
import { anthropic } from "../../src/gateway/provider/anthropic/dialect.ts";
import { openai } from "../../src/gateway/provider/openai/dialect.ts";
import type { Dialect } from "../../src/gateway/provider/provider.ts";

export const DIALECTS: readonly Dialect[] = [openai, anthropic];
