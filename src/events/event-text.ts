import type { InterceptorEvent } from "./event.ts";

/** The event as JSON: the text that the queue's messages and the fallback log hold. */
export const eventText = (event: InterceptorEvent): string => JSON.stringify(event);
