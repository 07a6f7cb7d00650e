/** Claims of a verified token: JSON of the issuer, of which the object's own members count. */
export type Claims = Readonly<Record<string, unknown>>;

export const ownClaim = (claims: Claims, name: string): unknown =>
  Object.hasOwn(claims, name) ? claims[name] : undefined;

/** Whether the claim, or an element of it where it is a list, is one of the values. */
export function hasClaim(claims: Claims, name: string, values: readonly unknown[]): boolean {
  const claim = ownClaim(claims, name);
  const held: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  return values.some((value) => held.includes(value));
}
