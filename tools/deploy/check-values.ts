/** Checks of single values that wrangler passes on, and that Cloudflare rejects in the middle of a deployment. */
import { MAX_VALUE_BYTES } from "../value-size.ts";
import type { WorkerConfig } from "./worker-configs.ts";

const NAMESPACE_ID = /^[0-9a-f]{32}$/i;

export const checkNamespaces = ({ kv_namespaces: namespaces, source }: WorkerConfig): string[] =>
  namespaces.flatMap(({ binding, id }) =>
    id === undefined || NAMESPACE_ID.test(String(id))
      ? []
      : [
          `${source}: the id of ${binding} must be the 32 hex digits that \`npx wrangler kv namespace create\` printed.`,
        ],
  );

/** The upload of a larger variable fails after the queue's consumer was removed. */
export const checkSizes = ({ vars, source }: WorkerConfig): string[] =>
  Object.entries(vars).flatMap(([name, value]) => {
    const bytes = Buffer.byteLength(typeof value === "string" ? value : JSON.stringify(value));
    return bytes > MAX_VALUE_BYTES
      ? [
          `${source}: ${name} must have at most ${MAX_VALUE_BYTES} bytes, Cloudflare's limit for a variable; it has ${bytes}.`,
        ]
      : [];
  });
