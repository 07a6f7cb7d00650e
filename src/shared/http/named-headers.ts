/** Headers that are read in many places. Names are in lower case everywhere here. */

/** The lookups of `Headers`. */
export type HeaderReader = Pick<Headers, "get" | "has">;

/**
 * Headers that are read once, in one native call: each native lookup takes 1,100 to 3,300 instructions, even of an absent header
 * (callgrind, `Headers.get` in workerd), and most lookups of a request are of absent ones.
 */
export class NamedHeaders implements HeaderReader {
  readonly native: Headers;
  readonly #values = new Map<string, string>();

  constructor(headers: Headers) {
    this.native = headers;
    headers.forEach((value, name) => {
      // Only Set-Cookie comes line by line.
      const before = this.#values.get(name);
      this.#values.set(name, before === undefined ? value : `${before}, ${value}`);
    });
  }

  get names(): Iterable<string> {
    return this.#values.keys();
  }

  /** Each name with its value. */
  get entries(): Iterable<readonly [string, string]> {
    return this.#values;
  }

  get(name: string): string | null {
    return this.#values.get(name) ?? null;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }
}
