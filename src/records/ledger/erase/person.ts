/**
 * A person who is erased: by which texts they are recognized, and the pseudonym in their place.
 *
 * Texts are compared as a whole. An id inside other text, such as another person's prompt, is not found.
 */

export type Person = {
  /** Stands in place of the person's ids, the same in every record, so that totals still group by it. */
  readonly pseudonym: string;
  /** Whether the text is one of the person's ids, exactly as the ledger stores it. */
  readonly isId: (text: string) => boolean;
  /** Whether the text is an id, a name or a credential of the person, or the hash of one. */
  readonly isNamed: (text: string) => boolean;
  /** Whether the text contains one of them. Used for the records of reads and holds, where operators write. */
  readonly isMentioned: (text: string) => boolean;
};

/** The texts by which a person is recognized. */
export type KnownTexts = {
  readonly ids: readonly string[];
  readonly names: readonly string[];
};

export const PSEUDONYM = /^erased-[0-9a-f]{12}$/;

/** `random`: a UUID of version 4. */
export const newPseudonym = (random: string): string => `erased-${random.slice(-12)}`;

/** Shorter texts are found only where they are the whole text. */
const SHORTEST_MENTION = 4;

export function personOf(pseudonym: string, { ids, names }: KnownTexts): Person {
  const [idSet, all] = [new Set(ids), new Set([...ids, ...names])];
  const mentions = [...all]
    .filter((text) => text.length >= SHORTEST_MENTION)
    .map((text) => text.toLowerCase());
  return {
    pseudonym,
    isId: (text) => idSet.has(text),
    isNamed: (text) => all.has(text),
    isMentioned: (text) => {
      const lower = text.toLowerCase();
      return all.has(text) || mentions.some((mention) => lower.includes(mention));
    },
  };
}

/**
 * The value with each text that names the person replaced, at any depth of a list or an object. A principal (`keys:alice`) keeps
 * its source, and a person who signed in to the console (`console:Alice`) keeps that prefix.
 */
export function withoutPerson(value: unknown, person: Person): unknown {
  if (typeof value === "string") return textWithout(value, person);
  if (Array.isArray(value)) return value.map((item) => withoutPerson(item, person));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, withoutPerson(member, person)]),
  );
}

export function textWithout(text: string, person: Person): string {
  if (person.isNamed(text)) return person.pseudonym;
  const colon = text.indexOf(":");
  if (colon <= 0) return text;
  const [source, name] = [text.slice(0, colon), text.slice(colon + 1)];
  const isPerson = person.isId(name) || (source === "console" && person.isNamed(name));
  return isPerson ? `${source}:${person.pseudonym}` : text;
}
