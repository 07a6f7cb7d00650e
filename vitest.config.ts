import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { dropExpectedWarnings } from "./test/support/quiet.ts";

dropExpectedWarnings();

/** Long enough for a busy machine: a time limit never decides what passes. */
export const LIMITS = { testTimeout: 300_000, hookTimeout: 300_000 };

export const REPORTERS = ["default", "./test/support/closing-line.ts"];

export default defineConfig({
  test: {
    reporters: REPORTERS,
    // Logs of passing tests are dropped.
    silent: "passed-only",
    // One for the tests inside workerd, one for those in Node.
    maxWorkers: 2,
    projects: [
      {
        // Layer by layer, inside workerd.
        plugins: [
          cloudflareTest({
            main: "./test/support/in-workerd/main.ts",
            wrangler: { configPath: "./wrangler.records.toml" },
            miniflare: {
              // What the gateway binds.
              compatibilityFlags: ["enable_request_signal", "no_nodejs_compat"],
              durableObjects: {
                NONCES: { className: "NonceShard", useSQLite: true },
                OBJECTS: { className: "ObjectOwnersShard", useSQLite: true },
              },
              queueProducers: { EVENTS: "ai-events" },
              versionMetadata: "CF_VERSION_METADATA",
              // Not as ARCHIVE: wrangler.records.toml has none, and the Worker would archive.
              r2Buckets: { ARCHIVE_OF_TEST: "archive-of-test" },
            },
          }),
        ],
        test: {
          name: "workerd",
          include: ["gateway", "records", "events", "shared"].map((folder) => `test/${folder}/**/*.test.ts`),
          provide: { migrations: await readD1Migrations("migrations") },
          // One isolate for all files: a third of the time. Storage is shared too; each file empties what it uses.
          isolate: false,
          ...LIMITS,
        },
      },
      {
        // In Node: over real sockets with the production bundle and the real SDKs, the tools, the docs, the structure.
        test: {
          name: "node",
          include: ["sockets", "structure", "docs", "fuzz", "supply", "tools", "bench", "console"].map(
            (folder) => `test/${folder}/**/*.test.ts`,
          ),
          ...LIMITS,
        },
      },
    ],
  },
});
