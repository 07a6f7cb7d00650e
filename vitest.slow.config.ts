import { defineConfig } from "vitest/config";
import { LIMITS, REPORTERS } from "./vitest.config.ts";

/**
 * `npm run test:slow`: the commands through the real wrangler, the ledger under load, the fuzz targets, memory, and a
 * million owner headers.
 */
export default defineConfig({
  test: { name: "slow", reporters: REPORTERS, include: ["test/slow/**/*.test.ts"], ...LIMITS },
});
