/** A model that the path names, as in Azure's `/deployments/{deployment}/chat/completions`. */

/** The models of a request: of the path and of the body. */
export type NamedModels = {
  /** The path's where it names one; else the body's. null where neither names one. */
  readonly model: string | null;
  /**
   * The body's, where the path names another model. The provider ignores it. A server in its place may not, so that this
   * model must be allowed too.
   */
  readonly otherModel: string | null;
};

/** `inPath` and `inBody`: null where there is none. */
export function namedModels(inPath: string | null, inBody: string | null): NamedModels {
  if (inPath === null) return { model: inBody, otherModel: null };
  return { model: inPath, otherModel: inBody === "" || inBody === inPath ? null : inBody };
}

export const modelsOf = ({ model, otherModel }: NamedModels): readonly (string | null)[] =>
  otherModel === null ? [model] : [model, otherModel];

/**
 * The text in place of the pattern's one segment in braces, as it is in the path; null where the rest differs. It may hold
 * slashes.
 */
export function patternSegment(pattern: string, path: string): string | null {
  const before = pattern.slice(0, pattern.indexOf("{"));
  const after = pattern.slice(pattern.indexOf("}") + 1);
  const end = path.length - after.length;
  return end > before.length && path.startsWith(before) && path.endsWith(after)
    ? path.slice(before.length, end)
    : null;
}
