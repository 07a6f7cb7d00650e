/** Settings of the console for tests. */
import type { ConsoleSettings } from "../../src/records/console/settings.ts";
import { adminTokens } from "../../src/records/config/console.ts";

/** No console; the API for the holder of one admin token, by its SHA-256. null: the API is closed. */
export const consoleOff = (
  adminTokenSha256: string | null = null,
): { readonly console: ConsoleSettings; readonly assets: null; gateway: null } => ({
  console: {
    origins: [],
    tokenSignIn: true,
    tokens: adminTokens(adminTokenSha256),
    roles: new Map(),
    idleMs: 30 * 60_000,
    maxMs: 8 * 3_600_000,
    access: null,
    oidc: null,
  },
  assets: null,
  gateway: null,
});
