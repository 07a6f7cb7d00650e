import { defineConfig } from "vitest/config";
import { LIMITS, REPORTERS } from "./vitest.config.ts";

/** `npm run test:browser`: the web console in Chromium, against both Workers as `npm start` runs them. */
export default defineConfig({
  test: {
    name: "browser",
    reporters: REPORTERS,
    include: ["test/browser/**/*.test.ts"],
    globalSetup: "test/browser/support/global-setup.ts",
    // One gateway for all files: they read the same ledger.
    maxWorkers: 1,
    ...LIMITS,
  },
});
