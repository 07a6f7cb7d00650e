/** Who appears in raw requests: keys that are good, keys that are nearly so, and canaries that nothing may ever print. */
import { createHash } from "node:crypto";
import { CLIENTS } from "../../src/gateway/client/clients.ts";

/** In every secret and every text that is nobody's business. */
export const CANARY = "CANARY";

/** Client keys in the form of those that `npm run keys` mints. */
export const GOOD_KEYS: readonly string[] = [
  `aei_${CANARY}8sZ1qk0dTgq7Y2mBz5RrWcNn4XxJj6HhLl3P`,
  `aei_${CANARY}bN5mQ7wE9rT2yU4iO6pA8sD0fG1hJ3kL5zX7`,
];
export const CENTRAL_OPENAI = `sk-proj-${CANARY}-oPeNaI2kEy9mXw6QzTb1Hd8Ys3Gf5Vj0K`;
export const CENTRAL_ANTHROPIC = `sk-ant-api03-${CANARY}-aNtHr0PiC3kEy7bWq2Zm9Xd4Fh6Gj1K`;
export const OWN_KEY = `sk-proj-${CANARY}-oWnKeY9zQm4Xc8Vb1Nw7Er3Ty5Ui0Op2As`;
export const PROMPT = `${CANARY}: the heron flies at dusk`;
export const OWNER = "7f3c2a10-1234-4abc-9def-000000000001";
/** In the target of a request inside another's body, which holds no key: no provider may ever hear of it. */
export const SMUGGLED = "smuggled-in";

export const CLIENT_KEYS: string = JSON.stringify(
  GOOD_KEYS.map((key, at) => ({
    sha256: createHash("sha256").update(key).digest("hex"),
    actor: `holder-${at}`,
    kind: at === 0 ? "service" : "user",
  })),
);

/** Values that are recorded as they were sent, within bounds: what a caller writes there is no secret to us. */
const RECORDED = [
  "user-agent",
  ...CLIENTS.flatMap(({ session }) => session.flatMap((one) => ("header" in one ? one.header : []))),
];
const TELLS_ITSELF = new RegExp(
  `(?:^|[\\r\\n\\0])[ \\t]*(?:${RECORDED.join("|")})(?:[^\\r\\n]|\\r?\\n[ \\t]|\\r(?!\\n))*${CANARY}|"(?:model|tool_call_id|tool_use_id|call_id|session_id)"\\s*:\\s*"[^"]*${CANARY}`,
  "i",
);

/** A mutation has moved a canary to where the caller's text is recorded: such a request shows nothing. */
export const tellsItself = (latin1: string): boolean => TELLS_ITSELF.test(latin1);

export const holdsGoodKey = (latin1: string): boolean => GOOD_KEYS.some((key) => latin1.includes(key));
