import { defineConfig } from "vitest/config";
import { LIMITS, REPORTERS } from "./vitest.config.ts";

/** `npm run test:slow`: the commands through the real wrangler, and the ledger under load. */
export default defineConfig({
  test: { name: "slow", reporters: REPORTERS, include: ["test/slow/**/*.test.ts"], ...LIMITS },
});
