/**
 * `npm run bench:budgets`: the time that budgets take, with the objects in this machine's workerd, whose database is on its disk.
 * The network to an object, which is most of its cost in production, is not in it.
 */
import { measureGateway } from "./gateway.ts";
import { measureObjects } from "./objects.ts";

const FOR_MS = 10_000;

const rounded = (value: number): string => Math.round(value).toLocaleString("en");

for (const { name, perSecond } of await measureObjects())
  console.log(`${name}: ${rounded(perSecond)} a second`);
for (const mode of [null, "strict", "soft"] as const) {
  const { calls, perSecond, charged } = await measureGateway(mode, FOR_MS);
  const all = charged === null ? "" : `, ${rounded(charged)} of ${rounded(calls)} charged`;
  console.log(`whole gateway, ${mode ?? "without budgets"}: ${rounded(perSecond)} a second${all}`);
}
process.exit(0);
