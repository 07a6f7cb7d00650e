/** One connection's bytes: requests by the grammar, perhaps several, perhaps with bytes changed, and how it is left. */
import { between } from "../../test/support/rechunk.ts";
import { chance, pick, several, shuffled, type Random } from "../random.ts";
import { holdsGoodKey, SMUGGLED, tellsItself } from "./cast.ts";
import { framed } from "./framing.ts";
import * as grammar from "./grammar.ts";

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
      several(random, 1, chance(random, 0.15) ? 3 : 1, () =>
        request(random, grammar.badCredentials(random)),
      ).join(""),
    ),
  misplaced: (random) => {
    // Nothing that a parser could read in two ways beside it.
    const plain = grammar.path(random);
    const body = grammar.jsonBody(random);
    const search = chance(random, 0.3) ? "?x=1" : "";
    return written(
      `POST ${plain}${search} HTTP/1.1`,
      [["Host", "127.0.0.1"], ...grammar.misplacedKey(random), ["Content-Length", String(body.length)]],
      body,
    );
  },
  known: (random) => mutated(random, request(random, grammar.goodCredentials(random))),
  smuggler,
};

function request(random: Random, credentials: readonly grammar.Line[]): string {
  const plain = grammar.path(random);
  const posts = grammar.INTERCEPTED.includes(plain);
  const { lines, bytes } =
    posts || chance(random, 0.2) ? framed(random, grammar.jsonBody(random)) : { lines: [], bytes: "" };
  const target = chance(random, 0.25) ? grammar.target(random, plain) : plain;
  const first = `${grammar.method(random, posts ? "POST" : "GET")} ${target} ${grammar.version(random)}`;
  const owners = chance(random, 0.3) ? grammar.owners(random) : [];
  const rest = shuffled(random, [...credentials, ...owners, ...grammar.oddHeaders(random), ...lines]);
  return written(
    first,
    [...grammar.hosts(random), ...rest],
    bytes,
    chance(random, 0.93) ? "\r\n" : pick(random, ["\n", "\r", "\r\n "]),
  );
}

function written(first: string, lines: readonly grammar.Line[], body: string, lineEnd = "\r\n"): string {
  return `${first}${lineEnd}${lines.map(([name, value]) => `${name}: ${value}${lineEnd}`).join("")}${lineEnd}${body}`;
}

/** The request that must not come through: without a key, to a path that no other request has. */
function inner(random: Random): string {
  const more = chance(random, 0.5) ? grammar.owners(random) : [];
  return written(`GET /openai/v1/models/${SMUGGLED} HTTP/1.1`, [["Host", "127.0.0.1"], ...more], "");
}

/** Request smuggling as it is known: lengths against codings, and requests behind requests. */
function smuggler(random: Random): string {
  const hidden = inner(random);
  const chunks = `0\r\n\r\n${hidden}`;
  const hex = hidden.length.toString(16);
  const coding = pick(random, [
    "chunked",
    "xchunked",
    "chunked, identity",
    "\tchunked",
    "chunked\x0b",
    "Chunked",
    "identity",
  ]);
  const [lines, body] = pick<readonly [grammar.Line[], string]>(random, [
    [
      [
        ["Content-Length", String(chunks.length)],
        ["Transfer-Encoding", coding],
      ],
      chunks,
    ],
    [
      [
        ["Transfer-Encoding", coding],
        ["Content-Length", "4"],
      ],
      `${hex}\r\n${hidden}\r\n0\r\n\r\n`,
    ],
    [
      [
        ["Transfer-Encoding", "chunked"],
        ["Transfer-Encoding", coding],
      ],
      chunks,
    ],
    [
      [
        ["Content-Length", "0"],
        ["Content-Length", String(hidden.length)],
      ],
      hidden,
    ],
    [[["Content-Length", String(hidden.length)]], hidden],
    [[["Content-Length", "0"]], hidden],
    [[], hidden],
    [[["Content-Length ", String(hidden.length)]], hidden],
    [[["Transfer-Encoding", "chunked"]], `${hex};a=\n${hidden}\r\n0\r\n\r\n${hidden}`],
    [[["Transfer-Encoding", "chunked"]], `0\r\n${hidden}`],
    [
      [
        ["Content-Length", String(hidden.length)],
        ["Expect", "100-continue"],
      ],
      hidden,
    ],
    [
      [
        ["Connection", "Content-Length"],
        ["Content-Length", String(hidden.length)],
      ],
      hidden,
    ],
    [[["X-Split", `a\r\n\r\n${hidden}`]], ""],
  ]);
  const path = pick(random, [
    "/openai/v1/chat/completions",
    "/openai/v1/files",
    "/openai/v1/models",
    "/anthropic/v1/messages",
  ]);
  const outer = chance(random, 0.8) ? "POST" : "GET";
  return (
    written(
      `${outer} ${path} HTTP/1.1`,
      [["Host", "127.0.0.1"], ...grammar.goodCredentials(random), ...lines],
      body,
    ) + (chance(random, 0.3) ? hidden : "")
  );
}

const BYTES = ["\0", "\r", "\n", "\r\n", " ", "\t", ":", "\x80", "\xff", "%", "/", "\\", "\x1b", "\x0b"];

/** Bytes changed, left out, put in, doubled; or the end missing. */
function mutated(random: Random, bytes: string): string {
  if (chance(random, 0.5)) return bytes;
  let text = bytes;
  for (let left = between(random, 1, 3); left > 0; left -= 1) {
    // More often in the head: there the parser works.
    const at = between(random, 0, Math.min(text.length, chance(random, 0.8) ? 600 : text.length));
    const length = between(random, 0, chance(random, 0.5) ? 3 : 60);
    const gone = text.slice(at, at + length);
    text = pick(random, [
      text.slice(0, at) + text.slice(at + length),
      text.slice(0, at) + pick(random, BYTES) + text.slice(at),
      text.slice(0, at) + pick(random, BYTES) + text.slice(at + 1),
      text.slice(0, at) + gone + text.slice(at),
      text.slice(0, at),
      text.slice(0, at) + String.fromCharCode(between(random, 0, 255)) + text.slice(at + 1),
    ]);
  }
  return text;
}

export const shown = (bytes: string): string =>
  JSON.stringify(bytes.length > 3000 ? `${bytes.slice(0, 3000)}…` : bytes);
