/** Headers that are read in many places. Names are in lower case everywhere here. */

/** The lookups of `Headers`. */
export type HeaderReader = Pick<Headers, "get" | "has">;

/**
 * Headers with the set of their names. Most lookups of a request are of absent headers, and each native one takes about
 * 3,300 instructions, even if the header is absent (callgrind, `Headers.get` in workerd).
 */
export class NamedHeaders implements HeaderReader {
  readonly names: ReadonlySet<string>;
  readonly native: Headers;

  constructor(headers: Headers) {
    this.names = new Set(headers.keys());
    this.native = headers;
  }

  get(name: string): string | null {
    return this.names.has(name) ? this.native.get(name) : null;
  }

  has(name: string): boolean {
    return this.names.has(name);
  }
}
