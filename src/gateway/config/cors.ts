/** The config's `CORS`, validated: the web pages that may call the gateway from a browser. */
import type { Fields } from "../../shared/config/fields.ts";

export type CorsRules = {
  /** As browsers send them in `Origin`. */
  readonly origins: ReadonlySet<string>;
  /** How long a browser may cache the response to a preflight request. */
  readonly maxAgeS: number;
};

export function readCors(fields: Fields): CorsRules {
  const origins = fields.requiredTexts("origins");
  for (const [at, origin] of origins.entries()) {
    const issue = originIssue(origin);
    if (issue !== null) fields.reject(`origins[${at}]`, issue);
  }
  const maxAgeS = fields.count("max_age_s", 0, 86_400, 600);
  fields.rejectUnknown();
  return { origins: new Set(origins), maxAgeS };
}

/** https://fetch.spec.whatwg.org/#origin-header: browsers compare and send the serialized form, so no other one matches. */
function originIssue(text: string): string | null {
  if (text === "*" || text === "null")
    return "must name one origin: every page of every site would match this one";
  if (!URL.canParse(text)) return "must be an origin, such as https://app.example.com";
  const { origin, protocol, hostname } = new URL(text);
  if (origin !== text)
    return "must be scheme, host and port as a browser sends them: in lower case, without a path and a default port";
  const isLoopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
  return protocol === "https:" || (protocol === "http:" && isLoopback)
    ? null
    : "must be https, or http on loopback";
}
