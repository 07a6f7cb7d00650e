/**
 * The records Worker's binding to the gateway, which the console needs on a host of its own. The gateway binds to the records
 * Worker too, so that neither can be deployed first with both bindings.
 */
import { fromJson } from "../../src/shared/config/fields.ts";
import type { RawConfig } from "./raw-config.ts";

export const GATEWAY_BINDING = "GATEWAY";
/** The gateway's export with the routes that the binding reaches. */
export const GATEWAY_ENTRYPOINT = "OwnRoutes";

export type ServiceBinding = {
  readonly binding: string;
  readonly service: string;
  readonly entrypoint?: string;
};

export const gatewayBinding = (gateway: string): ServiceBinding => ({
  binding: GATEWAY_BINDING,
  service: gateway,
  entrypoint: GATEWAY_ENTRYPOINT,
});

/** `CONSOLE.origins` of the records Worker's variables: a table, or the same as JSON. */
export function consoleOrigins(vars: Readonly<Record<string, unknown>> | undefined): readonly string[] {
  const table = fromJson(vars?.["CONSOLE"]);
  const origins = typeof table === "object" && table !== null && "origins" in table ? table.origins : [];
  return Array.isArray(origins) ? origins.filter((origin) => typeof origin === "string") : [];
}

/** The records Worker's configuration with the binding, where the console has a host. A binding of the operator's stays. */
export function withGatewayBinding(records: RawConfig, gateway: string): RawConfig {
  const services = servicesOf(records);
  const isBound = services.some(({ binding }) => binding === GATEWAY_BINDING);
  if (isBound || consoleOrigins(records.vars).length === 0) return records;
  return { ...records, services: [...services, gatewayBinding(gateway)] };
}

/** The same without the binding; null where there is none. */
export function withoutGatewayBinding(records: RawConfig): RawConfig | null {
  const services = servicesOf(records);
  const others = services.filter(({ binding }) => binding !== GATEWAY_BINDING);
  return others.length === services.length ? null : { ...records, services: others };
}

const servicesOf = ({ services = [] }: RawConfig): readonly ServiceBinding[] =>
  services as readonly ServiceBinding[];
