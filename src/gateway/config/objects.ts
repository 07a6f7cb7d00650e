/** The config's `PROVIDERS.<name>.objects`, validated: who may use the provider's stored objects. */
import { asTable, Fields } from "../../shared/config/fields.ts";
import type { ObjectAction, ObjectRule, ObjectRules } from "../provider/provider.ts";

const NO_RULES: ObjectRules = { read: null, write: null, delete: null };

export function readObjects(fields: Fields): ObjectRules {
  const objects = fields.nested("objects");
  if (objects === null) return NO_RULES;
  const rules = {
    read: readAction(objects, "read"),
    write: readAction(objects, "write"),
    delete: readAction(objects, "delete"),
    ...(objects.oneOf("owners", ["off", "check"], "off") === "check" && { owners: "check" as const }),
  };
  objects.rejectUnknown();
  return rules;
}

function readAction(fields: Fields, action: ObjectAction): ObjectRules[typeof action] {
  if (!Array.isArray(fields.table[action])) {
    const word = fields.oneOf<"on" | "off" | "default">(action, ["on", "off"], "default");
    return word === "default" ? null : word;
  }
  const path = `${fields.path}.${action}`;
  return fields.list(action).flatMap((entry, at) => {
    const table = asTable(entry, `${path}[${at}]`, fields.report);
    return table ? readRule(new Fields(table, `${path}[${at}]`, fields.report)) : [];
  });
}

function readRule(fields: Fields): ObjectRule {
  const rule = {
    source: fields.text("source"),
    kind: fields.oneOf<"user" | "service" | "any">("kind", ["user", "service"], "any"),
    actor: fields.text("actor"),
    claim: readClaim(fields),
  };
  fields.rejectUnknown();
  if (Object.keys(fields.table).length === 0)
    fields.report(fields.path, "must not be empty: it would match any caller");
  return { ...rule, kind: rule.kind === "any" ? null : rule.kind };
}

/** One claim of a token, `{ name = "value" }` or `{ name = ["value", …] }`. */
function readClaim(fields: Fields): ObjectRule["claim"] {
  const claim = fields.nested("claim");
  if (claim === null) return null;
  const [name, ...others] = Object.keys(claim.table);
  if (name === undefined || others.length > 0) {
    fields.reject("claim", "must have one claim");
    return null;
  }
  return [name, claim.requiredTexts(name)];
}
