/** `npm run bench:page`: writes the tables and the plot of docs/performance.md from the figures of the last runs. */
import { writePage } from "./page.ts";

await writePage();
