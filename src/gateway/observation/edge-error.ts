/**
 * Recognizes a response of a network in front of the provider: Cloudflare's challenges and error pages, and HTML where an
 * AI API would send JSON. The words are `EDGE_ERRORS` in `events/vocabulary.ts`. An error that the provider itself reports
 * in its own format is never renamed.
 */
import type { EdgeError } from "../../events/vocabulary.ts";
import type { BodyParser } from "./body-parser.ts";

/** The error that the status and the headers of an error response show; null for every other response. */
export function edgeErrorOf(status: number, headers: Headers): EdgeError | null {
  if (status < 400) return null;
  if (isChallenge(headers)) return "upstream_challenged";
  const named = `edge_${status}`;
  if (isStatusError(named)) return named;
  if (!isHtml(headers)) return null;
  return status === 403 ? "upstream_challenged" : "upstream_html";
}

/** https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response/ */
function isChallenge(headers: Headers): boolean {
  return headers.get("cf-mitigated")?.trim().toLowerCase() === "challenge";
}

type StatusError = Extract<EdgeError, `edge_${number}`>;

/** Without their meanings, which the gateway's bundle does not need. */
const STATUS_ERRORS: Readonly<Record<StatusError, true>> = {
  edge_520: true,
  edge_521: true,
  edge_522: true,
  edge_523: true,
  edge_524: true,
  edge_525: true,
  edge_526: true,
  edge_530: true,
};

const isStatusError = (word: string): word is StatusError => Object.hasOwn(STATUS_ERRORS, word);

function isHtml(headers: Headers): boolean {
  return /^\s*(?:text\/html|application\/xhtml\+xml)\b/i.test(headers.get("content-type") ?? "");
}

export type WatchedBody = {
  /** Use it in place of the parser that it wraps. */
  readonly parser: BodyParser;
  /** The error to record, given the one that the dialect's reader found. Call it after the last bytes. */
  readonly errorOf: (reported: string | null) => string | null;
};

/**
 * Watches a response that has an error status, or a body that no reader understands, on an intercepted route. Only the
 * body shows some block pages: Cloudflare's edge sends them as plain text or JSON to clients that accept no HTML.
 */
export function watchForEdgeError({ status, headers }: Response, parser: BodyParser): WatchedBody {
  const shown = edgeErrorOf(status, headers);
  if (status < 400) {
    const page = isHtml(headers) ? "upstream_html" : null;
    return { parser, errorOf: (reported) => reported ?? page };
  }
  if (shown === "upstream_challenged") return { parser, errorOf: () => shown };
  if (shown !== null && shown !== "upstream_html")
    return { parser, errorOf: (reported) => reported ?? shown };
  const beginning = createBeginning();
  const watched: BodyParser = {
    ...parser,
    bytes: (batch) => {
      beginning.add(batch);
      return parser.bytes(batch);
    },
    body: (bytes) => {
      beginning.add(bytes);
      parser.body(bytes);
    },
  };
  return {
    parser: watched,
    errorOf: (reported) => reported ?? (isBlockPage(beginning.text()) ? "upstream_challenged" : shown),
  };
}

/** Bytes of an error body that are searched. The marks of a challenge page stand in its head. */
const BEGINNING_BYTES = 16 * 1024;

function createBeginning(): { readonly add: (bytes: Uint8Array) => void; readonly text: () => string } {
  const decoder = new TextDecoder();
  let left = BEGINNING_BYTES;
  let text = "";
  return {
    // Decoded at once: the caller reuses the array.
    add: (bytes) => {
      if (left <= 0) return;
      text += decoder.decode(bytes.subarray(0, left), { stream: true });
      left -= bytes.byteLength;
    },
    text: () => text,
  };
}

const CHALLENGE_PAGE = /<title>\s*(?:Just a moment|Attention Required! \| Cloudflare)|\b_cf_chl_opt\b/i;

/**
 * Cloudflare's errors by which it denies access: banned addresses, networks, countries and browser signatures, rate limits
 * and firewall rules. https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/
 */
const DENIED = "(?:100[5-9]|1010|1012|1015|1020)";
const DENIED_TEXT = new RegExp(`^\\s*error code: ${DENIED}\\b`, "i");
const DENIED_JSON = new RegExp(`"error_code"\\s*:\\s*${DENIED}\\b`);

/** Whether the beginning of an error's body is a page or a message by which Cloudflare denies access. */
export function isBlockPage(text: string): boolean {
  if (CHALLENGE_PAGE.test(text) || DENIED_TEXT.test(text)) return true;
  return /"cloudflare_error"\s*:\s*true/.test(text) && DENIED_JSON.test(text);
}
