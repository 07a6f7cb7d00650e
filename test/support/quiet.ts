/**
 * Drops the warnings that the tests cause on purpose, so that the output of `npm test` holds results and failures only.
 * Everything else is printed as before.
 */
const EXPECTED: readonly RegExp[] = [
  // Tests send headers that are not ASCII.
  /^A header value for "[^"]*" contains non-ASCII characters: [^\n]*\n?/gm,
  // Vitest looks for a debugger, which workerd without `nodejs_compat` does not have.
  /^.*\[vitest-plugin\] "node:inspector", required from .*\n?/gm,
  /^.*Fallback service failed to fetch module; payload = ; spec = \/\?specifier=node%3Ainspector.*\n?/gm,
];

function withoutExpected(text: string): string {
  return EXPECTED.reduce((rest, pattern) => rest.replace(pattern, ""), text);
}

export function dropExpectedWarnings(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream) as (chunk: unknown, ...rest: unknown[]) => boolean;
    stream.write = (chunk: unknown, ...rest: unknown[]): boolean => {
      const text = typeof chunk === "string" ? withoutExpected(chunk) : chunk;
      return text === "" && chunk !== "" ? true : write(text, ...rest);
    };
  }
}
