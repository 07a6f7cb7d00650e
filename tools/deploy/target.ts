/** The options by which commands name the Workers that they are about. */
import { environmentIssue } from "./files.ts";
import type { Target } from "./worker-configs.ts";

export const TARGET_OPTIONS = {
  "gateway-only": { type: "boolean", default: false },
  env: { type: "string" },
} as const;

type TargetValues = { readonly "gateway-only": boolean; readonly env?: string | undefined };

/** @returns the target; one sentence that says why `--env` is invalid. */
export function readTarget({ "gateway-only": gatewayOnly, env }: TargetValues): Target | string {
  const issue = env === undefined ? null : environmentIssue(env);
  return issue ?? { gatewayOnly, environment: env ?? null };
}
