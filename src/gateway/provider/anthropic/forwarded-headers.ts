/** The request headers that a provider of this dialect receives, and why. */
import { forwardedHeaders } from "../forwarded-headers.ts";

export const anthropicHeaders = forwardedHeaders(
  [
    // Required, beta features, and the consent to keys in browsers.
    "anthropic-version",
    "anthropic-beta",
    "anthropic-dangerous-direct-browser-access",
    // Claude Code: how it was started, its session, and its setting of the API's safety.
    "x-app",
    "x-claude-code-*",
    "x-claude-remote-*",
    "x-anthropic-additional-protection",
  ],
  // Workspace, organization and user profile of the key.
  ["anthropic-*"],
);
