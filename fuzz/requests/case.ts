/** One connection: its bytes, which may hold several requests, and how the client closes it. */
import { between } from "../../test/support/rechunk.ts";
import { chance, several, type Random } from "../random.ts";
import { jsonBody } from "./body.ts";
import { canaryIsRecorded, holdsValidKey } from "./canaries.ts";
import { invalidCredentials, misplacedKey, validCredentials } from "./credentials.ts";
import { path } from "./line.ts";
import { mutate } from "./mutation.ts";
import { request, serialize } from "./request.ts";
import { smuggler } from "./smuggling.ts";

/**
 * - `unauthenticated`: no valid key anywhere in the bytes.
 * - `misplaced`: a valid key in a place that must not count.
 * - `authenticated`: a valid key that may count.
 * - `smuggler`: a request with a valid key, and in its body or after it a request without one.
 */
export type Family = "unauthenticated" | "misplaced" | "authenticated" | "smuggler";

export type Connection = {
  readonly family: Family;
  /** Each character is one byte. */
  readonly bytes: string;
  /** The position at which the client pauses until the bytes before it are sent. */
  readonly cut: number;
  /** `end`: sends FIN and reads on. `reset`: sends RST. */
  readonly closes: "end" | "reset";
};

function randomFamily(random: Random): Family {
  const draw = random();
  if (draw < 0.6) return "unauthenticated";
  if (draw < 0.7) return "misplaced";
  return draw < 0.9 ? "authenticated" : "smuggler";
}

export function connection(random: Random): Connection {
  const family = randomFamily(random);
  for (;;) {
    const bytes = GENERATORS[family](random);
    // A mutation can move a canary or complete a key, and so change the family.
    if (canaryIsRecorded(bytes) || (family === "unauthenticated" && holdsValidKey(bytes))) continue;
    const closes = chance(random, 0.03) ? "reset" : "end";
    return { family, bytes, cut: between(random, 0, bytes.length), closes };
  }
}

const GENERATORS: Readonly<Record<Family, (random: Random) => string>> = {
  unauthenticated: (random) => {
    const requests = several(random, 1, chance(random, 0.15) ? 3 : 1, () =>
      request(random, invalidCredentials(random)),
    );
    return mutate(random, requests.join(""));
  },
  misplaced: (random) => {
    // Well-formed, so that parsers cannot disagree about the place of the key.
    const plain = path(random);
    const body = jsonBody(random);
    const search = chance(random, 0.3) ? "?x=1" : "";
    return serialize({
      first: `POST ${plain}${search} HTTP/1.1`,
      lines: [["Host", "127.0.0.1"], ...misplacedKey(random), ["Content-Length", String(body.length)]],
      body,
    });
  },
  authenticated: (random) => mutate(random, request(random, validCredentials(random))),
  smuggler,
};

export const shown = (bytes: string): string =>
  JSON.stringify(bytes.length > 3000 ? `${bytes.slice(0, 3000)}…` : bytes);
