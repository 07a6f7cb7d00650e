/**
 * `npm run bench:budgets`: the time that budgets take, with the objects in this machine's workerd, whose database is on its disk.
 * The network to an object, which is most of its cost in production, is not in it.
 */
import { measureObjects } from "./objects.ts";

for (const { name, perSecond } of await measureObjects())
  console.log(`${name}: ${Math.round(perSecond).toLocaleString("en")} a second`);
