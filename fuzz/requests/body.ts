/** Request bodies that the routes accept, and bodies that they must refuse. */
import { between } from "../../test/support/rechunk.ts";
import { chance, pick, type Random } from "../random.ts";
import { PROMPT } from "./canaries.ts";
import { UNSAFE } from "./fields.ts";

export function jsonBody(random: Random): string {
  const valid = JSON.stringify({
    model: pick(random, ["gpt-4o", "claude-9", UNSAFE]),
    stream: chance(random, 0.2),
    messages: [{ role: "user", content: PROMPT }],
  });
  if (chance(random, 0.7)) return valid;
  return pick(random, [
    "",
    valid.slice(0, between(random, 0, valid.length)),
    `[${valid}]`,
    `\xef\xbb\xbf${valid}`,
    valid.replace("{", '{"model":"x",'),
    valid.replace("gpt", "gp\xff"),
    `{"messages":${"[".repeat(300)}${"]".repeat(300)}}`,
    `${valid.slice(0, -1)},"pad":"${"x".repeat(80_000)}"}`,
    "null",
    `{"__proto__":{"model":"${PROMPT.length}"}}`,
    valid.replace("false", '"yes"'),
  ]);
}
