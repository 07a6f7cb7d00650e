/** In place of what only the gateway serves, where the records Worker serves the console and has no binding to the gateway. */
import type { VNode } from "preact";
import type { ApiError } from "../api/client.ts";
import { Command } from "./command.tsx";
import { Empty } from "./states.tsx";

/** The records Worker knows these paths only from the API's document, and has no page for them. */
const NOT_HERE: ReadonlySet<number> = new Set([404, 405, 501]);

export const isElsewhere = (error: ApiError | null): boolean => error !== null && NOT_HERE.has(error.status);

type Props = { readonly what: string; readonly command?: string };

export function Elsewhere({ what, command }: Props): VNode {
  return (
    <Empty title="The gateway is not on this host.">
      <p>Only the gateway {what}. Run the command against the gateway's host:</p>
      {command !== undefined && <Command text={command} label="Command" />}
    </Empty>
  );
}
