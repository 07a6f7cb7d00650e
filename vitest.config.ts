import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    reporters: ["default", "./test/support/closing-line.ts"],
    projects: [
      {
        // Floor by floor, inside workerd.
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            // What wrangler.toml binds only where it is wanted.
            miniflare: { durableObjects: { NONCES: { className: "NonceShard", useSQLite: true } } },
          }),
        ],
        test: {
          name: "worker",
          include: ["gateway", "records", "events", "shared", "structure"].map(
            (folder) => `test/${folder}/**/*.test.ts`,
          ),
          // For the ledger's tests, which read no files.
          provide: { migrations: await readD1Migrations("migrations") },
          // A machine that is busy must not decide what passes.
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        // Over real sockets: the production bundle, providers that misbehave, the real SDKs.
        test: {
          name: "sockets",
          include: ["sockets", "docs", "fuzz", "supply"].map((folder) => `test/${folder}/**/*.test.ts`),
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
