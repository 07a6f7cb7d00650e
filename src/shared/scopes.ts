/** Scopes: the rights to records of an admin token, or of a person who is signed in to the console. */

/** Each scope, with what it permits. */
const SCOPES = {
  read: "records and totals, without recorded content",
  content: "recorded content: prompts, thoughts, inputs and errors of tools, texts of errors",
  admin: "changes: limits of budgets, and corrections of costs",
} as const;
export type Scope = keyof typeof SCOPES;
export type Scopes = readonly Scope[];

export const ALL_SCOPES = Object.keys(SCOPES) as readonly Scope[];

/** The scopes in one order, each once. */
export const sortedScopes = (scopes: Iterable<Scope>): Scopes => {
  const held = new Set(scopes);
  return ALL_SCOPES.filter((scope) => held.has(scope));
};

export const isScope = (word: string): word is Scope => Object.hasOwn(SCOPES, word);
