/** The keys and texts of raw requests. All secrets contain a canary, which no output may contain. */
import { createHash } from "node:crypto";
import { CLIENTS } from "../../src/gateway/client/clients.ts";

/** Part of every secret and every private text. */
export const CANARY = "CANARY";

/** Client keys in the format of `npm run keys`. */
export const VALID_KEYS: readonly string[] = [
  `aei_${CANARY}8sZ1qk0dTgq7Y2mBz5RrWcNn4XxJj6HhLl3P`,
  `aei_${CANARY}bN5mQ7wE9rT2yU4iO6pA8sD0fG1hJ3kL5zX7`,
];
export const CENTRAL_OPENAI = `sk-proj-${CANARY}-oPeNaI2kEy9mXw6QzTb1Hd8Ys3Gf5Vj0K`;
export const CENTRAL_ANTHROPIC = `sk-ant-api03-${CANARY}-aNtHr0PiC3kEy7bWq2Zm9Xd4Fh6Gj1K`;
export const OWN_KEY = `sk-proj-${CANARY}-oWnKeY9zQm4Xc8Vb1Nw7Er3Ty5Ui0Op2As`;
export const PROMPT = `${CANARY}: the heron flies at dusk`;
export const OWNER = "7f3c2a10-1234-4abc-9def-000000000001";
/** In the target of a request without a key that is hidden in another request. It must never reach a provider. */
export const SMUGGLED = "smuggled-in";

export const CLIENT_KEYS: string = JSON.stringify(
  VALID_KEYS.map((key, at) => ({
    sha256: createHash("sha256").update(key).digest("hex"),
    actor: `holder-${at}`,
    kind: at === 0 ? "service" : "user",
  })),
);

/** Headers that are recorded verbatim, within bounds, so a canary in them proves no leak. */
const RECORDED_HEADERS = [
  "user-agent",
  ...CLIENTS.flatMap(({ session }) => session.flatMap((one) => ("header" in one ? one.header : []))),
];
const RECORDED_CANARY = new RegExp(
  `(?:^|[\\r\\n\\0])[ \\t]*(?:${RECORDED_HEADERS.join("|")})(?:[^\\r\\n]|\\r?\\n[ \\t]|\\r(?!\\n))*${CANARY}|"(?:model|tool_call_id|tool_use_id|call_id|session_id)"\\s*:\\s*"[^"]*${CANARY}`,
  "i",
);

/** Whether a mutation moved a canary into a recorded field. Such a request cannot prove a leak. */
export const canaryIsRecorded = (latin1: string): boolean => RECORDED_CANARY.test(latin1);

export const holdsValidKey = (latin1: string): boolean => VALID_KEYS.some((key) => latin1.includes(key));
