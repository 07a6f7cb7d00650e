/**
 * `npm run sbom`, after `npm run build`: two bills of materials (CycloneDX) in `dist/`. `sbom.json` is npm's own, of all
 * that is installed to build and test; `sbom-bundle.json` has only the packages whose code is deployed.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageOf, readBuilt } from "./supply/bundle.ts";
import { ROOT } from "./supply/tree.ts";

/** As far as it is looked into here. */
export type Bom = {
  readonly metadata: { readonly component: { readonly name: string; readonly purl: string } };
  readonly components: readonly {
    readonly "bom-ref": string;
    readonly name: string;
    readonly version: string;
  }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
};

/** Every package that is installed. */
export function installed(): Bom {
  const options = ["sbom", "--sbom-format", "cyclonedx", "--sbom-type", "application"];
  const shell = process.platform === "win32";
  const printed = execFileSync("npm", options, { cwd: ROOT, encoding: "utf8", shell, maxBuffer: 2 ** 26 });
  const bom = JSON.parse(printed) as Bom;
  // npm calls the project by its folder's name.
  const { purl } = bom.metadata.component;
  const component = { ...bom.metadata.component, name: purl.replace(/^pkg:npm\/|@[^@]*$/g, "") };
  return { ...bom, metadata: { ...bom.metadata, component } };
}

/** The same bill with these packages only. Throws where one of them is not in it. */
export function onlyOf<T extends Bom>(bom: T, names: readonly string[]): T {
  const components = bom.components.filter(({ name }) => names.includes(name));
  const missing = names.filter((name) => !components.some((one) => one.name === name));
  if (missing.length > 0) throw new Error(`not installed, but in the bundle: ${missing.join(", ")}`);
  const refs = new Set(components.map((one) => one["bom-ref"]));
  const root = bom.dependencies.filter(({ ref }) => !bom.components.some((one) => one["bom-ref"] === ref));
  const kept = [...root, ...bom.dependencies.filter(({ ref }) => refs.has(ref))];
  const dependencies = kept.map(({ ref, dependsOn }) => ({
    ref,
    dependsOn: dependsOn.filter((one) => refs.has(one)),
  }));
  return { ...bom, components, dependencies };
}

export async function main(): Promise<number> {
  const packages = readBuilt().sources.flatMap(([path]) => packageOf(path) ?? []);
  const all = installed();
  const deployed = onlyOf(all, [...new Set(packages)]);
  for (const [name, bom] of Object.entries({ "sbom.json": all, "sbom-bundle.json": deployed })) {
    writeFileSync(join(ROOT, "dist", name), `${JSON.stringify(bom, null, 2)}\n`);
    console.log(`dist/${name}: ${bom.components.length} packages`);
  }
  for (const { name, version } of deployed.components) console.log(`  deployed: ${name} ${version}`);
  return 0;
}
