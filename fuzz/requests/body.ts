/** Bodies: what the routes take, and what they must refuse. */
import { between } from "../../test/support/rechunk.ts";
import { chance, pick, type Random } from "../random.ts";
import { PROMPT } from "./cast.ts";
import { UNSAFE } from "./fields.ts";

export function jsonBody(random: Random): string {
  const sound = JSON.stringify({
    model: pick(random, ["gpt-4o", "claude-9", UNSAFE]),
    stream: chance(random, 0.2),
    messages: [{ role: "user", content: PROMPT }],
  });
  if (chance(random, 0.7)) return sound;
  return pick(random, [
    "",
    sound.slice(0, between(random, 0, sound.length)),
    `[${sound}]`,
    `\xef\xbb\xbf${sound}`,
    sound.replace("{", '{"model":"x",'),
    sound.replace("gpt", "gp\xff"),
    `{"messages":${"[".repeat(300)}${"]".repeat(300)}}`,
    `${sound.slice(0, -1)},"pad":"${"x".repeat(80_000)}"}`,
    "null",
    `{"__proto__":{"model":"${PROMPT.length}"}}`,
    sound.replace("false", '"yes"'),
  ]);
}
