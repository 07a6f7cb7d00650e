/** Whether the edge compresses towards a client that accepts it: a JSON body, and an event stream. */
import { asAssumed, define, differs, type Finding } from "../measurement.ts";

const ACCEPT = { "accept-encoding": "zstd, br, gzip" };
const JSON_BYTES = 20_000;

export const assessJson = (encoding: string | null): Finding =>
  encoding === null
    ? differs(
        "not compressed",
        "nothing, if a Compression Rule turns compression off for the host; otherwise docs/deploy.md must say so",
      )
    : asAssumed(`content-encoding: ${encoding}`);

export const assessEvents = (encoding: string | null): Finding =>
  encoding === null
    ? asAssumed("not compressed")
    : differs(
        `content-encoding: ${encoding}`,
        "turn compression off for the host with a Compression Rule: an event waits for the encoder",
      );

export const jsonCompression = define<string | null>({
  question: "Is a JSON response compressed towards a client that accepts zstd, br and gzip?",
  assumed: "yes, by the edge, unless a Compression Rule turns it off (docs of Cloudflare)",
  phase: "quick",
  requests: 1,
  isNetworkOnly: true,
  measure: async ({ echo }) => {
    const request = await echo.open("payload", { params: { bytes: JSON_BYTES }, headers: ACCEPT });
    return (await request.received).headers["content-encoding"] ?? null;
  },
  assess: assessJson,
});

export const eventCompression = define<string | null>({
  question: "Is an event stream compressed towards such a client?",
  assumed: "no (docs of Cloudflare: not one of the compressed types)",
  phase: "quick",
  requests: 1,
  isNetworkOnly: true,
  measure: async ({ echo }) => {
    const params = { events: 5, gap_ms: 50, run: "compression" };
    const request = await echo.open("stream", { route: "chat", params, headers: ACCEPT });
    return (await request.received).headers["content-encoding"] ?? null;
  },
  assess: assessEvents,
});
