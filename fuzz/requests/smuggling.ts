/** Requests with another inside or behind them, framed so that two readers may part them otherwise. */
import { chance, pick, type Random } from "../random.ts";
import { SMUGGLED } from "./cast.ts";
import { goodCredentials } from "./credentials.ts";
import { owners, type Line } from "./fields.ts";
import { written } from "./request.ts";

/** The request that must not come through: without a key, to a path that no other request has. */
function inner(random: Random): string {
  const more = chance(random, 0.5) ? owners(random) : [];
  return written(`GET /openai/v1/models/${SMUGGLED} HTTP/1.1`, [["Host", "127.0.0.1"], ...more], "");
}

/** Request smuggling as it is known: lengths against codings, and requests behind requests. */
export function smuggler(random: Random): string {
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
  const [lines, body] = pick<readonly [Line[], string]>(random, [
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
      [["Host", "127.0.0.1"], ...goodCredentials(random), ...lines],
      body,
    ) + (chance(random, 0.3) ? hidden : "")
  );
}
