/** Both Workers with an emulated provider, and a ledger with traffic of every kind, for all files. */
import type { TestProject } from "vitest/node";
import { startConsole } from "./console-stack.ts";
import { sendTraffic } from "./traffic.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The gateway's address, which serves the console. */
    readonly url: string;
  }
}

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const stack = await startConsole();
  try {
    await sendTraffic(stack.url);
  } catch (error) {
    await stack.stop();
    throw error;
  }
  provide("url", stack.url);
  return stack.stop;
}
