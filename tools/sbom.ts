/**
 * `npm run sbom`, after `npm run build`: writes two bills of materials (CycloneDX) to `dist/`. `sbom.json` is npm's own, of
 * every package that is installed to build and test. `sbom-bundle.json` has only the packages in the gateway's bundle.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageOf, readBuilt } from "./supply/bundle.ts";
import { ROOT } from "./root.ts";

/** A CycloneDX document, with the fields that are read here. */
export type Bom = {
  readonly metadata: { readonly component: { readonly name: string; readonly purl: string } };
  readonly components: readonly {
    readonly "bom-ref": string;
    readonly name: string;
    readonly version: string;
  }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
};

/** The bill of every installed package. */
function installedBom(): Bom {
  const options = ["sbom", "--sbom-format", "cyclonedx", "--sbom-type", "application"];
  const shell = process.platform === "win32";
  const printed = execFileSync("npm", options, { cwd: ROOT, encoding: "utf8", shell, maxBuffer: 2 ** 26 });
  const bom = JSON.parse(printed) as Bom;
  // npm names the project after its folder; `purl` has the name of package.json.
  const { purl } = bom.metadata.component;
  const component = { ...bom.metadata.component, name: purl.replace(/^pkg:npm\/|@[^@]*$/g, "") };
  return { ...bom, metadata: { ...bom.metadata, component } };
}

/**
 * The bill reduced to these packages.
 * @throws when one of them is not in it.
 */
export function onlyPackages<T extends Bom>(bom: T, names: readonly string[]): T {
  const components = bom.components.filter(({ name }) => names.includes(name));
  const missing = names.filter((name) => !components.some((component) => component.name === name));
  if (missing.length > 0) throw new Error(`in the bundle, but not installed: ${missing.join(", ")}`);
  const refs = new Set(components.map((component) => component["bom-ref"]));
  const root = bom.dependencies.filter(
    ({ ref }) => !bom.components.some((component) => component["bom-ref"] === ref),
  );
  const kept = [...root, ...bom.dependencies.filter(({ ref }) => refs.has(ref))];
  const dependencies = kept.map(({ ref, dependsOn }) => ({
    ref,
    dependsOn: dependsOn.filter((dependency) => refs.has(dependency)),
  }));
  return { ...bom, components, dependencies };
}

export async function main(): Promise<number> {
  const packages = readBuilt().sources.flatMap(([path]) => packageOf(path) ?? []);
  const installed = installedBom();
  const deployed = onlyPackages(installed, [...new Set(packages)]);
  for (const [name, bom] of Object.entries({ "sbom.json": installed, "sbom-bundle.json": deployed })) {
    writeFileSync(join(ROOT, "dist", name), `${JSON.stringify(bom, null, 2)}\n`);
    console.log(`dist/${name}: ${bom.components.length} packages`);
  }
  for (const { name, version } of deployed.components) console.log(`  deployed: ${name} ${version}`);
  return 0;
}
