/** Multipart forms: the model is read while the form streams on, and nothing complete passes before it is checked. */
import { describe, expect, it } from "vitest";
import { createFinder, formBoundary } from "../../../src/gateway/provider/form/boundary.ts";
import { createFormScanner, MAX_WITHHELD_BYTES } from "../../../src/gateway/provider/form/form-scanner.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { between, forSeeds, seededRandom } from "../../support/rechunk.ts";
import { join, utf8 } from "../../support/in-workerd/values.ts";

const B = "----WebKitFormBoundary7MA4YWxkTrZu0gW";
const CLOSE = `--${B}--\r\n`;

/** A part as SDKs write it. `headers`: what follows the name. */
const part = (name: string, value: string, headers = ""): string =>
  `--${B}\r\nContent-Disposition: form-data; name="${name}"${headers}\r\n\r\n${value}\r\n`;
const file = (value: string, name = "file"): string =>
  part(name, value, '; filename="a.mp3"\r\nContent-Type: audio/mpeg');
const model = (name: string): string => part("model", name);

type Scanned = { readonly sent: Uint8Array; readonly refusal: string | null; readonly model: string | null };

/** Feeds the pieces; `allowed` is the only model of the list. */
function scan(pieces: readonly Uint8Array[], allowed = "whisper-1"): Scanned {
  const check = (name: string | null): Refusal | null =>
    name === allowed ? null : new Refusal("model_not_allowed");
  const scanner = createFormScanner(B, check);
  const sent: Uint8Array[] = [];
  for (const [at, piece] of pieces.entries()) {
    const memory = piece.slice();
    const results = [scanner.push(memory), ...(at === pieces.length - 1 ? [scanner.end()] : [])];
    // The upload reuses the memory of its pieces.
    memory.fill(0);
    for (const result of results) {
      if (result instanceof Refusal)
        return { sent: join(sent), refusal: result.code, model: scanner.model() };
      sent.push(result);
    }
  }
  return { sent: join(sent), refusal: null, model: scanner.model() };
}

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const scanText = (text: string): Scanned => scan([bytesOf(text)]);

/** The same at every split into two pieces and in pieces of each small size. */
function everywhere(text: string): Scanned {
  const bytes = bytesOf(text);
  const whole = scan([bytes]);
  for (let at = 1; at < bytes.length; at++) {
    const result = scan([bytes.subarray(0, at), bytes.subarray(at)]);
    expect([at, result.refusal, result.model]).toEqual([at, whole.refusal, whole.model]);
  }
  for (const size of [1, 2, 3, 7]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.subarray(at * size, (at + 1) * size),
    );
    expect(scan(pieces)).toMatchObject({ refusal: whole.refusal, model: whole.model });
  }
  return whole;
}

describe("a form with an allowed model", () => {
  it.each([
    ["first", model("whisper-1") + file("sound") + CLOSE],
    ["last", file("sound") + part("language", "de") + model("whisper-1") + CLOSE],
    ["between files", file("a", "image[]") + model("whisper-1") + file("b", "image[]") + CLOSE],
    ["behind several files", file("a", "image[]") + file("b", "mask") + model("whisper-1") + CLOSE],
    ["without a last line break", file("sound") + model("whisper-1") + `--${B}--`],
    ["behind a leading line break", "\r\n" + file("sound") + model("whisper-1") + CLOSE],
    ["beside an empty field and an empty file", part("prompt", "") + file("") + model("whisper-1") + CLOSE],
    [
      "beside content that looks like a boundary",
      file("\r\n--\r\n----WebKit\r\n--") + model("whisper-1") + CLOSE,
    ],
    [
      "with headers as other clients write them",
      `--${B}\r\ncontent-length: 5\r\nCONTENT-DISPOSITION:form-data;name=file;filename="C:\\a b.mp3";filename*=UTF-8''a%20b\r\nContent-Transfer-Encoding: binary\r\nX-A: b\r\n\r\nsound\r\n` +
        `--${B}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name="model"\r\nContent-Length: 9\r\n\r\nwhisper-1\r\n${CLOSE}`,
    ],
  ])("passes byte for byte at every split, with the model %s", (_, text) => {
    const bytes = bytesOf(text);
    const result = everywhere(text);
    expect(result).toEqual({ sent: bytes, refusal: null, model: "whisper-1" });
  });
});

describe("a form that is refused", () => {
  const good = model("whisper-1");
  // The attack, in each line: a form of which another parser reads another model than the gateway checked.
  it.each<[reason: string, description: string, text: string]>([
    ["model_not_allowed", "another model, first", model("gpt-image-1") + file("x") + CLOSE],
    ["model_not_allowed", "another model, last", file("x") + model("gpt-image-1") + CLOSE],
    ["model_not_allowed", "no model", file("x") + CLOSE],
    ["model_not_allowed", "an empty model", file("x") + model("") + CLOSE],
    ["model_not_allowed", "a model with a blank", file("x") + model("whisper-1 ") + CLOSE],
    ["form_invalid", "two models", good + file("x") + good + CLOSE],
    ["form_invalid", "a second model in another case", good + part("Model", "b") + CLOSE],
    ["form_invalid", "a model in a list", good + part("model[]", "b") + CLOSE],
    ["form_invalid", "a model with an index", good + part("model[0]", "b") + CLOSE],
    ["form_invalid", "an encoded name", good + part("%6dodel", "b") + CLOSE],
    ["form_invalid", "an escaped name", good + part("m\\odel", "b") + CLOSE],
    ["form_invalid", "a folded name", good + part("mode\u00c5\u00bf", "b") + CLOSE],
    ["form_invalid", "a name with a blank", good + part(" model", "b") + CLOSE],
    ["form_invalid", "an extended name", good + part("x", "b", "; name*=UTF-8''model") + CLOSE],
    ["form_invalid", "two names", good + part("x", "b", '; name="model"') + CLOSE],
    [
      "form_invalid",
      "a name behind an escaped quote",
      good + part("x", "b", '; filename="a\\"; name="model"') + CLOSE,
    ],
    ["form_invalid", "a model with a file name", part("model", "whisper-1", '; filename="a"') + CLOSE],
    [
      "form_invalid",
      "an encoded model",
      part("model", "whisper-1", "\r\nContent-Transfer-Encoding: 8bit") + CLOSE,
    ],
    [
      "form_invalid",
      "an encoded part",
      good + part("x", "YQ==", "\r\nContent-Transfer-Encoding: base64") + CLOSE,
    ],
    [
      "form_invalid",
      "a nested form",
      good + part("x", "", "\r\nContent-Type: multipart/mixed; boundary=y") + CLOSE,
    ],
    [
      "form_invalid",
      "a model in UTF-16",
      part("model", "whisper-1", "\r\nContent-Type: text/plain; charset=utf-16") + CLOSE,
    ],
    ["form_invalid", "another charset for all", part("_charset_", "utf-16") + good + CLOSE],
    [
      "form_invalid",
      "a repeated header",
      part("x", "b", '\r\nContent-Disposition: form-data; name="model"') + good + CLOSE,
    ],
    ["form_invalid", "a folded header", part("x", "b", ';\r\n name2="model"') + good + CLOSE],
    ["form_invalid", "a bare line feed in the headers", part("x", "b", "\nX: y") + good + CLOSE],
    [
      "form_invalid",
      "a part without a name",
      `--${B}\r\nContent-Type: text/plain\r\n\r\nx\r\n${good}${CLOSE}`,
    ],
    [
      "form_invalid",
      "an attachment",
      `--${B}\r\nContent-Disposition: attachment; name="x"\r\n\r\nx\r\n${good}${CLOSE}`,
    ],
    ["form_invalid", "a wrong length", part("x", "b", "\r\nContent-Length: 99") + good + CLOSE],
    ["form_invalid", "a preamble", `x\r\n${good}${CLOSE}`],
    ["form_invalid", "an epilogue", `${good}${CLOSE}${part("model", "b")}${CLOSE}`],
    ["form_invalid", "no closing boundary", good + file("x")],
    [
      "form_invalid",
      "a boundary behind a line feed",
      good + file(`x\n--${B}\r\nContent-Disposition: form-data; name="model"\r\n\r\nb`) + CLOSE,
    ],
    ["form_invalid", "a boundary inside a line", good + file(`x--${B}`) + CLOSE],
    ["form_invalid", "a boundary with more behind it", good + file(`x\r\n--${B}x`) + CLOSE],
    ["form_invalid", "a boundary with blanks behind it", `--${B} \r\n${good.slice(B.length + 4)}${CLOSE}`],
    ["form_invalid", "invalid UTF-8", part("model", "\xff\xfe") + CLOSE],
    ["form_invalid", "nothing", ""],
  ])("as %s with %s, and never completely sent", (reason, _, text) => {
    const { refusal, sent } = text === "" ? scanText(text) : everywhere(text);
    expect(refusal).toBe(reason);
    expect(includesText(sent, `--${B}--`)).toBe(false);
  });

  it("past the bounds of headers, parts, the model and what waits behind a file", () => {
    const cases = [
      part("x", "b", `\r\nX: ${"y".repeat(9000)}`) + good,
      part("x", "y").repeat(300) + good,
      model("m".repeat(5000)),
      file("x") + part("prompt", "y".repeat(MAX_WITHHELD_BYTES + 8192)) + good,
    ];
    for (const text of cases) {
      const bytes = bytesOf(text + CLOSE);
      const pieces = Array.from({ length: Math.ceil(bytes.length / 4096) }, (_, at) =>
        bytes.subarray(at * 4096, (at + 1) * 4096),
      );
      expect(scan(pieces).refusal).toBe("form_invalid");
    }
  });
});

const includesText = (bytes: Uint8Array, text: string): boolean =>
  new TextDecoder("latin1").decode(bytes).includes(text);

describe("a large form", () => {
  it("streams on before and inside its files, and waits from the end of a file", () => {
    const checked: (string | null)[] = [];
    const scanner = createFormScanner(B, (name) => {
      checked.push(name);
      return null;
    });
    const size = (text: string): number => {
      const result = scanner.push(bytesOf(text));
      expect(result).toBeInstanceOf(Uint8Array);
      return (result as Uint8Array).byteLength;
    };
    const [head = "", rest = ""] = file(`${"x".repeat(100_000)}|`).split("|");
    const tail = B.length + 4;
    expect(size(head)).toBe(head.length - tail);
    for (let at = 0; at < 50; at++) expect(size("y".repeat(64 * 1024))).toBe(64 * 1024);
    expect(size(rest)).toBe(rest.length);
    // The file ends before the line break of its boundary. Everything from there is withheld.
    expect(size(part("prompt", "z".repeat(1000)))).toBe(tail - 2);
    expect(checked).toEqual([]);
    expect(size(model("whisper-1"))).toBe(0);
    expect(size(`--${B}--`)).toBeGreaterThan(1000);
    expect(checked).toEqual(["whisper-1"]);
    expect(scanner.model()).toBe("whisper-1");
  });
});

/** A straightforward parser of a whole form: the names and values of its parts. */
const parse = (text: string): [string, string][] =>
  text
    .split(`--${B}`)
    .slice(1, -1)
    .map((chunk) => {
      const at = chunk.indexOf("\r\n\r\n");
      return [/name="([^"]*)"/.exec(chunk)?.[1] ?? "", chunk.slice(at + 4, -2)];
    });

describe("random forms", () => {
  it("agree with a simple parser in random pieces", () => {
    const names = ["model", "prompt", "file", "language", "image[]"];
    const values = [
      "whisper-1",
      "gpt-image-1",
      "",
      "\r\n",
      "--",
      "\r\n--",
      `\r\n--${B.slice(0, -1)}`,
      "x".repeat(3000),
    ];
    forSeeds(3000, (seed) => {
      const random = seededRandom(seed);
      const pick = <T>(list: readonly T[]): T => list[between(random, 0, list.length - 1)] as T;
      const parts = Array.from({ length: between(random, 1, 5) }, () => {
        const name = pick(names);
        const value = pick(values);
        return name === "file" || name === "image[]" ? file(value, name) : part(name, value);
      });
      const text = parts.join("") + CLOSE;
      const models = parse(text).filter(([name]) => name === "model");
      const bytes = bytesOf(text);
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < bytes.length;) {
        const end = Math.min(bytes.length, at + between(random, 1, 200));
        pieces.push(bytes.subarray(at, end));
        at = end;
      }
      const result = scan(pieces);
      const [first, second] = models.map(([, value]) => value);
      const isGood = first === "whisper-1" && second === undefined;
      expect([seed, result.refusal === null]).toEqual([seed, isGood]);
      expect([seed, isGood ? result.sent : bytes]).toEqual([seed, bytes]);
    });
  });

  it("find a pattern as indexOf does, at every split", () => {
    forSeeds(3000, (seed) => {
      const random = seededRandom(seed);
      const letters = (length: number): string =>
        Array.from({ length }, () => "-a"[between(random, 0, 1)] ?? "").join("");
      const [pattern, text] = [letters(between(random, 1, 5)), letters(60)];
      const split = between(random, 0, 60);
      const finder = createFinder(utf8(pattern));
      const bytes = utf8(text);
      const first = finder.next(bytes, 0, split);
      const found = first < 0 ? finder.next(bytes, split, 60) : first;
      const expected = text.indexOf(pattern);
      expect([seed, found]).toEqual([seed, expected < 0 ? -1 : expected + pattern.length]);
    });
  });
});

describe("the boundary", () => {
  it.each([
    ["multipart/form-data; boundary=abc", "abc"],
    ['Multipart/Form-Data;boundary="a b:c"', "a b:c"],
    ["multipart/form-data; charset=utf-8; boundary=abc", "abc"],
    ["multipart/form-data; boundary=abc; charset=utf-8", "abc"],
    [`multipart/form-data; boundary=${B}`, B],
    ["multipart/form-data", "invalid"],
    ["multipart/form-data; boundary=", "invalid"],
    ['multipart/form-data; boundary="a\\b"', "invalid"],
    ['multipart/form-data; boundary="a "', "invalid"],
    ["multipart/form-data; boundary=a; boundary=b", "invalid"],
    ["multipart/form-data; boundary*=a; boundary=b", "invalid"],
    ["multipart/form-data; boundary=a, multipart/form-data; boundary=b", "invalid"],
    [`multipart/form-data; boundary=${"a".repeat(71)}`, "invalid"],
    [`multipart/form-data; boundary=a${" ".repeat(100_000)}b`, "invalid"],
    ["application/json", null],
    ["multipart/form-data-x; boundary=a", null],
    ["application/json, multipart/form-data; boundary=a", null],
    [null, null],
  ])("of %j is %j", (contentType, expected) => {
    expect(formBoundary(contentType)).toBe(expected);
  });
});
