import { describe, expect, it } from "vitest";
import { createRenewedSecrets } from "../../src/shared/renewed-secrets.ts";
import { watchForSecrets } from "../../src/shared/secret-finder.ts";

const FIXED = { name: "KEY", value: "fixed-0123456789-abcdef" };
const TOKENS = ["qwertyuiop-asdfghjkl-1", "zxcvbnm,plokmijnuh-2", "edcrfvtgbyhnujmik,ol-3"] as const;
const token = (at: 1 | 2 | 3) => ({ name: "TOKEN", value: TOKENS[at - 1] ?? "" });

describe("secrets that are renewed", () => {
  it("are found beside the others, the last two of each name", () => {
    const { finder, renew } = createRenewedSecrets([FIXED]);
    const found = () => [FIXED, token(1), token(2), token(3)].map(({ value }) => finder.find(`x ${value} y`));
    expect(found()).toEqual(["KEY", null, null, null]);
    renew(token(1));
    renew({ name: "OTHER", value: "other-0123456789-fedcba" });
    renew(token(2));
    expect(found()).toEqual(["KEY", "TOKEN", "TOKEN", null]);
    renew(token(3));
    expect(found()).toEqual(["KEY", null, "TOKEN", "TOKEN"]);
    expect(finder.findAny("other-0123456789-fedcba")).toBe("OTHER");
  });

  it("are redacted, in a finder that began without any", () => {
    const { finder, renew } = createRenewedSecrets([]);
    const text = `a ${token(1).value} b`;
    expect([finder.redact(text), finder.redactField(text), finder.isAbsentFrom(text)]).toEqual([
      text,
      text,
      true,
    ]);
    renew(token(1));
    const redacted = "a [redacted:configured] b";
    expect([finder.redact(text), finder.redactField(text), finder.isAbsentFrom(text)]).toEqual([
      redacted,
      redacted,
      false,
    ]);
  });

  it("are found by a watch that began before", () => {
    const { finder, renew } = createRenewedSecrets([FIXED]);
    const watch = watchForSecrets(finder);
    renew(token(1));
    watch.push(token(1).value.slice(0, 20));
    watch.push(token(1).value.slice(20));
    expect(watch.found()).toBe("TOKEN");
  });
});
