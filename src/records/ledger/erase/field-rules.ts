/**
 * The fields of an event that an erasure changes, and their new values. The event field table says whose each field is
 * (`erasable`, events/field.ts), so a new field is covered by its own row there.
 *
 * - The initiator owns the conversation. Where the person only acted for another one, the prompts and ids of the
 *   conversation stay, and the person's own ids, name and network facts go.
 * - In the events of others, a field that may hold personal data and is exactly one of the person's ids or names is replaced.
 */
import { columnName, type Field } from "../../../events/field.ts";
import { RECORDS, type RecordDefinition, type RecordType } from "../../../events/fields.ts";
import { ERASED, ERASED_OTHER, ERASED_RESPONSE } from "../erased-texts.ts";
import { textWithout, withoutPerson, type Person } from "./person.ts";

export type Values = Readonly<Record<string, unknown>>;

export type Erasable = { readonly name: string; readonly column: string | null; readonly field: Field };

const definitions: Readonly<Record<RecordType, RecordDefinition>> = RECORDS;

/** The fields of a record type that may hold personal data. */
export const erasableFieldsOf = (type: RecordType): readonly Erasable[] => ERASABLE[type];

const ERASABLE = Object.fromEntries(
  Object.entries(definitions).map(([type, { fields, ledgerFields }]) => [
    type,
    Object.entries({ ...fields, ...ledgerFields })
      .filter(([, { erasable }]) => erasable !== undefined)
      .map(([name, field]) => ({ name, column: columnName(name, field), field })),
  ]),
) as unknown as Readonly<Record<RecordType, readonly Erasable[]>>;

export type EventValues = {
  readonly id: string;
  readonly type: RecordType;
  readonly values: Values;
};

export type Rules = {
  readonly person: Person;
  /** Whether fields that name a person only by accident are erased too. */
  readonly technical: boolean;
};

/** The totals are by model, so the model stays. */
const IN_TOTALS: ReadonlySet<string> = new Set(["model"]);

/** The changed fields by name; none where the event does not concern the person. */
export function erasedValues(event: EventValues, rules: Rules): Values {
  const changed: Record<string, unknown> = {};
  const roles = rolesOf(event.values, rules.person);
  for (const { name, field } of erasableFieldsOf(event.type)) {
    const value = event.values[name] ?? null;
    if (value === null) continue;
    const next = erasedValue(event, { name, field, value }, { ...rules, ...roles });
    if (next !== value && JSON.stringify(next) !== JSON.stringify(value)) changed[name] = next;
  }
  return changed;
}

type NamedValue = { readonly name: string; readonly field: Field; readonly value: unknown };

type Roles = { readonly isInitiator: boolean; readonly isActor: boolean };

/** Whether the person is the initiator or the actor of an event. With digests, each comparison is a hash. */
function rolesOf(values: Values, person: Person): Roles {
  const isPerson = (id: unknown): boolean =>
    typeof id === "string" && (id === person.pseudonym || person.isId(id));
  return { isInitiator: isPerson(values["initiator_id"]), isActor: isPerson(values["actor_id"]) };
}

function erasedValue(event: EventValues, named: NamedValue, rules: Rules & Roles): unknown {
  const { person } = rules;
  if (event.type === "ledger_access") return accessWithout(named.value, person);
  if (isWhole(named, rules)) return emptied(event, named, person);
  // Content of others stays as it is, even where it is nothing but the person's name.
  return named.field.content ? named.value : withoutPerson(named.value, person);
}

function isWhole({ name, field }: NamedValue, { technical, isInitiator, isActor }: Rules & Roles): boolean {
  switch (field.erasable) {
    case "initiator":
    case "content":
      return isInitiator;
    case "actor":
      return isActor;
    case "caller":
      return isInitiator || isActor;
    case "admin":
      // Neither of the two: the text itself names the administrator.
      return false;
    default:
      return technical && isInitiator && !IN_TOTALS.has(name);
  }
}

/** A text that is unique among its column's, and follows from the event, so that a redelivered event finds its row. */
const UNIQUE: Readonly<Record<string, (event: EventValues) => string>> = {
  usage_of: ({ id, values }) => {
    const { usage_of, provider, msg_id } = values;
    // A later pass finds it erased.
    if (typeof usage_of === "string" && usage_of.startsWith(ERASED_OTHER)) return usage_of;
    const isOfResponse = usage_of === `${String(provider)}/${String(msg_id)}`;
    return `${isOfResponse ? ERASED_RESPONSE : ERASED_OTHER}${id}`;
  },
  file_id: ({ id }) => `${ERASED_OTHER}${id}`,
};

function emptied(event: EventValues, { name, field, value }: NamedValue, person: Person): unknown {
  if (typeof value !== "string" || field.kind === "object" || field.kind === "texts")
    return field.nullable ? null : Array.isArray(value) || field.kind === "texts" ? [] : {};
  if (person.isId(value) || value === person.pseudonym) return person.pseudonym;
  if (field.nullable) return null;
  return UNIQUE[name]?.(event) ?? (field.erasable === "actor" ? person.pseudonym : ERASED);
}

/** A record of a read or a hold: a text that names the person is replaced, one that contains a name is removed. */
function accessWithout(value: unknown, person: Person): unknown {
  if (typeof value === "string") {
    const text = textWithout(value, person);
    return text === value && person.isMentioned(value) ? ERASED : text;
  }
  if (Array.isArray(value)) return value.map((item) => accessWithout(item, person));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      person.isMentioned(name) ? ERASED : name,
      accessWithout(member, person),
    ]),
  );
}
