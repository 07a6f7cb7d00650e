/** Providers: latency percentiles and error classes. */
import type { VNode } from "preact";
import { Page } from "../app/page.tsx";

export function Providers(): VNode {
  return <Page title="Providers">{null}</Page>;
}
