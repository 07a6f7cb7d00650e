/**
 * Texts that an attacker sends in a prompt or a name, for an administrator who reads them: markup and a script, an image and
 * a link that report the reading, a formula, and characters that hide or reorder text.
 */

/** The page must never request it. */
export const BEACON = "https://attacker.invalid/seen.png";

const MARKUP = `<img src=x onerror="window.pwned=true"><script>window.pwned=true</script><a href="javascript:window.pwned=true">x</a>`;
const MARKDOWN = `![x](${BEACON}) [click](${BEACON})`;
/** Reordered, hidden, spelled in tag characters, and half of a pair. */
const INVISIBLE = "a\u202Egnp.exe\u202C\u200B\u2066b\u2069\u{E0068}\u{E0069}\u0000\u001B[31m\uFEFF\uD800z";

export const HOSTILE_NAME = `=cmd|'/c calc'!A1 a\u202Eb\u200B ${MARKUP}`.slice(0, 200);

export const HOSTILE_TEXT = `${INVISIBLE}\n${MARKUP}\n${MARKDOWN}`;

/** A name in a header, where only these characters are valid. */
export const HOSTILE_TOKEN = `<img src=x onerror="window.pwned=true">`;

/** One megabyte, as a prompt. */
export const MEGABYTE = `${HOSTILE_TEXT}\n${"\u200B\u202E".repeat(1000)}\n${"0123456789abcdef".repeat(65_000)}`;
