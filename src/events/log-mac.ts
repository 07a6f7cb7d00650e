/**
 * The line that authenticates lines of the interception log (`RECORDING.log_mac`): it holds the SHA-256 of each, and one MAC
 * over all digests. A line is verified by itself, wherever it stands and whichever of the others a log lost.
 */
import { toBase64Url } from "../shared/base64.ts";
import { parseJson } from "../shared/json.ts";
import type { PresentedMac, Sign } from "./event-mac.ts";

export const LOG_MAC_MESSAGE = "interception log mac";

const BEGIN = `{"message":${JSON.stringify(LOG_MAC_MESSAGE)},"record_type":"events_mac",`;

/** Of one line: a line of 2 KB remains within what the log keeps of a request (bounded-log-line.ts). */
const MAX_LINES = 40;

const encoder = new TextEncoder();

/** In base64url. */
export async function lineDigest(line: string): Promise<string> {
  return toBase64Url(new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(line))));
}

/** The lines to print after `lines`: one, or one for each 40 of them. */
export async function toLogMacLines(lines: readonly string[], sign: Sign): Promise<readonly string[]> {
  const digests = await Promise.all(lines.map(lineDigest));
  const macLines: string[] = [];
  for (let at = 0; at < digests.length; at += MAX_LINES) {
    const text = JSON.stringify(digests.slice(at, at + MAX_LINES));
    macLines.push(`${BEGIN}"mac":"${await sign("lines", text)}","lines":${text}}`);
  }
  return macLines;
}

/** The digests that a line names, and the MAC that has to cover them. */
export type LogMac = { readonly digests: readonly string[]; readonly mac: PresentedMac };

const WITH_MAC =
  /^\{"message":"interception log mac","record_type":"events_mac","mac":"([\w.-]{0,64})","lines":/;

/** null where it is not such a line. */
export function readLogMacLine(line: string): LogMac | null {
  const [begin, mac] = WITH_MAC.exec(line) ?? [];
  if (begin === undefined || mac === undefined || !line.endsWith("}")) return null;
  const text = line.slice(begin.length, -1);
  const digests = parseJson(text);
  if (!Array.isArray(digests)) return null;
  return { digests: digests.filter((one) => typeof one === "string"), mac: { mac, purpose: "lines", text } };
}
