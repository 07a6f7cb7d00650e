/** Credentials: valid, invalid, and valid keys in the wrong place. */
import { between } from "../../test/support/rechunk.ts";
import { pick, type Random } from "../random.ts";
import { CANARY, VALID_KEYS, OWN_KEY } from "./canaries.ts";
import type { Line } from "./fields.ts";

/** Invalid credentials: malformed, unknown, truncated, or close to a valid key. They never contain a complete valid key. */
export function invalidCredentials(random: Random): Line[] {
  const key = pick(random, VALID_KEYS);
  const nearMiss = pick(random, [
    key.slice(0, -1),
    key.slice(1),
    key.replace("Z", "z").replace("N5", "n5").replace("aei_", "aei-"),
    `aei_${CANARY}unknown`,
    key.slice(0, 20),
    `${key.slice(0, 20)} ${key.slice(20)}`,
    `${key.slice(0, 20)}\0${key.slice(20)}`,
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
    nearMiss,
    "",
    `${nearMiss}, Bearer ${nearMiss}`,
    `"${nearMiss}"`,
    `${nearMiss}==x`,
    `${CANARY}é`,
    `${CANARY}${"x".repeat(between(random, 100, 9000))}`,
  ]);
  return pick<Line[]>(random, [
    [],
    [["Authorization", scheme + value]],
    [
      ["Authorization", scheme + value],
      ["Authorization", `Bearer ${nearMiss}`],
    ],
    [["X-Api-Key", value]],
    [
      ["X-Api-Key", value],
      ["Authorization", scheme + value],
    ],
    pick(random, FURTHER_KEY_HEADERS).map((name): Line => [name, value]),
    [["X-Coder-AI-Governance-Token", value]],
    [
      ["X-Coder-AI-Governance-Token", value],
      ["Authorization", `Bearer ${OWN_KEY}`],
    ],
    [["Authorization ", scheme + value]],
    [
      ["Coder-Session-Token", value],
      ["Cookie", `session=${CANARY}`],
    ],
    [["Proxy-Authorization", scheme + value]],
  ]);
}

const FURTHER_KEY_HEADERS = [["Api-Key"], ["X-Goog-Api-Key"], ["X_Api_Key"], ["Api-Key", "X-Goog-Api-Key"]];

/** A valid key in a header that carries no identity, or as part of a malformed credential. */
export function misplacedKey(random: Random): Line[] {
  const key = pick(random, VALID_KEYS);
  return pick<Line[]>(random, [
    [["Cookie", `key=${key}`]],
    [["X_Goog_Api_Key", key]],
    [["Api_Key", key]],
    [["Coder-Session-Token", key]],
    [["Proxy-Authorization", `Bearer ${key}`]],
    [["X_Api_Key", key]],
    [["Authorization", `Basic ${key}`]],
    [["Authorization", key]],
    [["Authorization", `Bearer ${key}x`]],
    [["Authorization", `Bearer ${key} ${key}`]],
    [
      ["Authorization", `Bearer ${key}`],
      ["Authorization", `Bearer ${key}`],
    ],
    [["Authorization", `Bearer ${key},`]],
    [["X-Api-Key", `${key}, ${key}`]],
    [["Api-Key", `${key}, ${key}`]],
    [
      ["X-Api-Key", `"${CANARY}"`],
      ["X-Goog-Api-Key", key],
    ],
    [["X-Forwarded-Authorization", `Bearer ${key}`]],
    [
      ["X-Coder-AI-Governance-Token", `${CANARY}x`],
      ["Authorization", `Bearer ${key}`],
    ],
    [["X-Coder-AI-Gateway-Key", key]],
  ]);
}

export function validCredentials(random: Random): Line[] {
  const key = pick(random, VALID_KEYS);
  return pick<Line[]>(random, [
    [["Authorization", `Bearer ${key}`]],
    [["X-Api-Key", key]],
    [["Api-Key", key]],
    [["X-Goog-Api-Key", key]],
    [["X-Coder-AI-Governance-Token", key]],
    [
      ["Authorization", `Bearer ${key}`],
      ["X-Api-Key", `${CANARY}other`],
    ],
    [
      ["X-Api-Key", key],
      ["Api-Key", `${CANARY}other`],
      ["X-Goog-Api-Key", OWN_KEY],
    ],
  ]);
}
