import { defineConfig } from "vitest/config";

/**
 * `npm run test:older-workerd`: what meets a raw workerd, on one from before its cancel fix. The other tests over sockets
 * run in wrangler's harness, which brings a workerd of its own.
 */
export default defineConfig({
  test: {
    name: "older-workerd",
    reporters: ["default", "./test/support/closing-line.ts"],
    env: { WORKERD: "older" },
    globalSetup: "test/older-workerd/install.ts",
    include: ["build", "streams", "headers", "bodies", "clients", "owner", "owner-proof"].map(
      (name) => `test/sockets/${name}.test.ts`,
    ),
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
