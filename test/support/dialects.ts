/**
 * The dialects that `wiring.ts` has, for tests over sockets, which cannot read it: it is written for the Worker's own
 * types. test/worker/every-route.test.ts fails where a dialect is missing here.
 */
import { anthropic } from "../../src/provider/anthropic.ts";
import { openai } from "../../src/provider/openai.ts";
import type { Dialect } from "../../src/provider/provider.ts";

export const DIALECTS: readonly Dialect[] = [openai, anthropic];
