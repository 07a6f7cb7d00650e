/**
 * Hashes of the user texts that a request holds. The ledger compares the earlier ones with those that earlier requests
 * brought, and so marks a history that a client made up. They are recorded only where prompts are: a hash of a short text
 * tells the text.
 */
import { toRecordedContent, type Redact } from "../../events/redaction.ts";
import type { PromptHashes } from "../../events/compose.ts";
import { sha256Hex } from "../../shared/digest.ts";
import type { UserTexts } from "../provider/conversation.ts";

/** In hex digits: 128 bits, so that a client cannot find two texts with one hash. */
const LENGTH = 32;
/** The maximum number of characters hashed of the current and of the earlier texts, from the last text back. */
const MAX_HASHED = 65_536;

export const NO_PROMPT_HASHES: PromptHashes = { current: [], earlier: [] };

/** All redaction and hashing happens before the first await, so nothing of the body is held until then. */
export async function hashUserTexts({ current, earlier }: UserTexts, redact: Redact): Promise<PromptHashes> {
  const [currentHashes, earlierHashes] = await Promise.all([
    Promise.all(hashAll(current, redact)),
    Promise.all(hashAll(earlier, redact)),
  ]);
  return { current: currentHashes, earlier: earlierHashes };
}

/** Oldest first. */
function hashAll(texts: readonly string[], redact: Redact): readonly Promise<string>[] {
  const hashes: Promise<string>[] = [];
  let left = MAX_HASHED;
  for (const text of texts.toReversed()) {
    const recorded = toRecordedContent(text, redact).text;
    left -= recorded.length;
    if (left < 0) break;
    hashes.push(hash(`${text.length} ${recorded}`));
  }
  return hashes.toReversed();
}

/** The length tells apart texts that differ after the recorded part. */
const hash = async (text: string): Promise<string> => (await sha256Hex(text)).slice(0, LENGTH);
