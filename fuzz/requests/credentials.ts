/** Credentials: good ones, ones that are none, and good keys in the wrong place. */
import { between } from "../../test/support/rechunk.ts";
import { pick, type Random } from "../random.ts";
import { CANARY, GOOD_KEYS, OWN_KEY } from "./cast.ts";
import type { Line } from "./fields.ts";

/** Credentials that are none: malformed, unknown, cut, nearly right. None holds a good key whole. */
export function badCredentials(random: Random): Line[] {
  const good = pick(random, GOOD_KEYS);
  const nearly = pick(random, [
    good.slice(0, -1),
    good.slice(1),
    good.replace("Z", "z").replace("N5", "n5").replace("aei_", "aei-"),
    `aei_${CANARY}unknown`,
    good.slice(0, 20),
    `${good.slice(0, 20)} ${good.slice(20)}`,
    `${good.slice(0, 20)}\0${good.slice(20)}`,
    OWN_KEY,
  ]);
  const scheme = pick(random, [
    "Bearer ",
    "bearer ",
    "Bearer  ",
    "Bearer",
    "Basic ",
    "",
    "Bearer\t",
    "Bearer ,",
    "Bearer \0",
    "Bearer é",
    "Token ",
  ]);
  const value = pick(random, [
    nearly,
    "",
    `${nearly}, Bearer ${nearly}`,
    `"${nearly}"`,
    `${nearly}==x`,
    `${CANARY}é`,
    `${CANARY}${"x".repeat(between(random, 100, 9000))}`,
  ]);
  return pick<Line[]>(random, [
    [],
    [["Authorization", scheme + value]],
    [
      ["Authorization", scheme + value],
      ["Authorization", `Bearer ${nearly}`],
    ],
    [["X-Api-Key", value]],
    [
      ["X-Api-Key", value],
      ["Authorization", scheme + value],
    ],
    [["X-Coder-AI-Governance-Token", value]],
    [
      ["X-Coder-AI-Governance-Token", value],
      ["Authorization", `Bearer ${OWN_KEY}`],
    ],
    [["X_Api_Key", value]],
    [["Authorization ", scheme + value]],
    [
      ["Coder-Session-Token", value],
      ["Cookie", `session=${CANARY}`],
    ],
    [["Proxy-Authorization", scheme + value]],
  ]);
}

/** A good key where no identity is looked for, or in more than is one. */
export function misplacedKey(random: Random): Line[] {
  const good = pick(random, GOOD_KEYS);
  return pick<Line[]>(random, [
    [["Cookie", `key=${good}`]],
    [["X-Goog-Api-Key", good]],
    [["Api-Key", good]],
    [["Coder-Session-Token", good]],
    [["Proxy-Authorization", `Bearer ${good}`]],
    [["X_Api_Key", good]],
    [["Authorization", `Basic ${good}`]],
    [["Authorization", good]],
    [["Authorization", `Bearer ${good}x`]],
    [["Authorization", `Bearer ${good} ${good}`]],
    [
      ["Authorization", `Bearer ${good}`],
      ["Authorization", `Bearer ${good}`],
    ],
    [["Authorization", `Bearer ${good},`]],
    [["X-Api-Key", `${good}, ${good}`]],
    [["X-Forwarded-Authorization", `Bearer ${good}`]],
    [
      ["X-Coder-AI-Governance-Token", `${CANARY}x`],
      ["Authorization", `Bearer ${good}`],
    ],
    [["X-Coder-AI-Gateway-Key", good]],
  ]);
}

export function goodCredentials(random: Random): Line[] {
  const good = pick(random, GOOD_KEYS);
  return pick<Line[]>(random, [
    [["Authorization", `Bearer ${good}`]],
    [["X-Api-Key", good]],
    [["X-Coder-AI-Governance-Token", good]],
    [
      ["Authorization", `Bearer ${good}`],
      ["X-Api-Key", `${CANARY}other`],
    ],
  ]);
}
