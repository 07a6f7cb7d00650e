/** The texts in a bundle, for readers without this project. */
import { BROKEN, STATUSES } from "./event-line.ts";

export const COMPLETENESS =
  "The bundle proves that each sealed event in it was recorded as it stands here, and has not changed since. " +
  "It does not prove that these are all events of the person: its maker could have left some out, and an event whose " +
  "row was deleted no longer says whose it was. To check completeness, an auditor needs the log itself: its tiles hold the id of " +
  "the event of every leaf, and an id begins with the time of its request. The auditor lists the leaves of the time range, and " +
  "has the operator show for each one that is not in the bundle an entry with another initiator, or the record of a deletion. " +
  "A seal shows nothing about the time before: a gateway that was compromised may have recorded falsehoods.";

const WIDTH = 78;

/** Lines of at most that many characters. */
const wrapped = (text: string): string =>
  text.replaceAll(new RegExp(`(.{1,${WIDTH}})(?: |$)`, "g"), "$1\n").trimEnd();

const STATUS_LINES = Object.entries(STATUSES)
  .map(([status, meaning]) => `  ${status.padEnd(10)}${meaning}\n`)
  .join("");

/** The same in every bundle. */
export const README = `EVIDENCE BUNDLE

What an AI gateway recorded of one person in one range of time, with proof that
the records are those that were sealed. It can be checked without the gateway,
its database and its software. Who and when: manifest.json.

FILES
  manifest.json          what this is, and the SHA-256 of every other file
  checkpoint             the signed head of the log (c2sp.org/tlog-checkpoint)
  events.ndjson          a line of JSON for each event
  log.ndjson             entries of the log about itself: its name, keys, schema
  checkpoints.ndjson     earlier heads, with proof that the log only grew
  verifier-keys.txt      the log's public keys, as the log names them

  checkpoint is missing where nothing was sealed yet.

HOW TO CHECK AN EVENT
  Hashes are SHA-256. "||" puts bytes one after the other. leaf_hash and proof
  are in base64, salts and commitments in base64url without padding.

  1. The record is the sealed one. "entry" is the sealed text. Parse it:
     - index, event_id, record_type and stored are those of the line.
     - each member of its "fields" is the same in "fields" of the line.
     - each member of its "commitments" is the hash of
         salt || canonical JSON of the value           (RFC 8785, UTF-8)
       with the salt of that name in "salts" and the value in "fields".
       An erased field has no salt: the commitment is the one in "erased",
       which has the database's word for the time. The value is gone.
  2. The entry is in the log. The hash of
         the byte 0x00 || entry
     is leaf_hash, and "proof" leads from it at "index" to the root hash in
     the third line of checkpoint (RFC 6962, section 2.1.1; the second line
     is the size of the tree).
  3. The head is the log's. checkpoint is a note (c2sp.org/signed-note): its
     text up to the empty line is signed with Ed25519. Compare the public key
     with one that you got from elsewhere, not from this bundle. Where the key
     has changed, log.ndjson has the new one with a signature of the one before.
  4. The head was not made up for you. Compare it with heads that others kept:
     the operator's log lines, object storage, cosigners. A consistency
     proof of the log shows that one continues the other.

  Software that does 2 and 3: Go's golang.org/x/mod/sumdb (note and tlog).
  The gateway's own software does 1 to 3: npm run -s export -- check <folder>

  The manifest has no signature. Where the export was recorded, the event
  named in recorded_as has the manifest's SHA-256, and is sealed itself.

STATUS OF AN EVENT
${STATUS_LINES}
  An intact ledger has no event that is ${[...BROKEN].join(", ")}.
  "fields" of an event that is not sealed are what the database says now.

WHAT IS NOT PROVEN
${wrapped(COMPLETENESS)}
`;
