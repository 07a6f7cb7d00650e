/** The queue's messages of events, as the gateway makes them of the events' texts. */
import type { InterceptorEvent } from "../../src/events/event.ts";
import type { Sign } from "../../src/events/event-mac.ts";
import { eventText } from "../../src/events/event-text.ts";
import { joinMessages, joinSignedMessages } from "../../src/events/queue-message.ts";

/** As few messages as possible, the events in their order. */
export const toMessages = (events: readonly InterceptorEvent[]): string[] =>
  joinMessages(events.map(eventText));

/** The same messages with a MAC each. */
export const toSignedMessages = (events: readonly InterceptorEvent[], sign: Sign): Promise<string[]> =>
  joinSignedMessages(events.map(eventText), sign);
