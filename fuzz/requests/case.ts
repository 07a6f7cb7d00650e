/** One connection: its bytes, which may be several requests, and how the client leaves it. */
import { between } from "../../test/support/rechunk.ts";
import { chance, several, type Random } from "../random.ts";
import { jsonBody } from "./body.ts";
import { holdsGoodKey, tellsItself } from "./cast.ts";
import { badCredentials, goodCredentials, misplacedKey } from "./credentials.ts";
import { path } from "./line.ts";
import { mutated } from "./mutation.ts";
import { request, written } from "./request.ts";
import { smuggler } from "./smuggling.ts";

/**
 * `stranger`: no good key anywhere in it · `misplaced`: one that must not count · `known`: one that may · `smuggler`: a
 * good key in a request, and in its body or behind it another request without.
 */
export type Family = "stranger" | "misplaced" | "known" | "smuggler";

export type Connection = {
  readonly family: Family;
  /** Each character is one byte. */
  readonly bytes: string;
  /** Where the client pauses for the bytes to leave. */
  readonly cut: number;
  /** Ends its side and reads on, or breaks off. */
  readonly leaves: "end" | "reset";
};

export function connection(random: Random): Connection {
  const way = random();
  const family: Family = way < 0.6 ? "stranger" : way < 0.7 ? "misplaced" : way < 0.9 ? "known" : "smuggler";
  for (;;) {
    const bytes = FAMILIES[family](random);
    // A mutation may have made something else of it.
    if (tellsItself(bytes) || (family === "stranger" && holdsGoodKey(bytes))) continue;
    const leaves = chance(random, 0.03) ? "reset" : "end";
    return { family, bytes, cut: between(random, 0, bytes.length), leaves };
  }
}

const FAMILIES: Readonly<Record<Family, (random: Random) => string>> = {
  stranger: (random) =>
    mutated(
      random,
      several(random, 1, chance(random, 0.15) ? 3 : 1, () => request(random, badCredentials(random))).join(
        "",
      ),
    ),
  misplaced: (random) => {
    // Nothing that a parser could read in two ways beside it.
    const plain = path(random);
    const body = jsonBody(random);
    const search = chance(random, 0.3) ? "?x=1" : "";
    return written(
      `POST ${plain}${search} HTTP/1.1`,
      [["Host", "127.0.0.1"], ...misplacedKey(random), ["Content-Length", String(body.length)]],
      body,
    );
  },
  known: (random) => mutated(random, request(random, goodCredentials(random))),
  smuggler,
};

export const shown = (bytes: string): string =>
  JSON.stringify(bytes.length > 3000 ? `${bytes.slice(0, 3000)}…` : bytes);
