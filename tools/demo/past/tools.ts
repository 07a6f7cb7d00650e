/** The tools that the agents of the earlier days offer, with the inputs that the emulated model gives them. */
import type { Tool } from "./agent.ts";

const tool = (name: string, input: Readonly<Record<string, string>>): Tool => ({ name, input });

export const SEARCH = tool("search_code", { query: "roundHalfEven(", folder: "src/billing" });
export const SHOW = tool("show_file", { path: "src/billing/invoice.ts", lines: "40-96" });
export const EDIT = tool("edit_file", {
  path: "src/billing/invoice.ts",
  patch: "-  return Math.round(cents);\n+  return roundHalfEven(cents);",
});
export const TESTS = tool("run_tests", { command: "npm test -- test/billing" });
export const TASK = tool("start_agent", {
  name: "reviewer",
  prompt: "Review the change of the rounding rule.",
});
export const FETCH = tool("fetch_page", { url: "https://wiki.example.com/runbooks/queue" });
