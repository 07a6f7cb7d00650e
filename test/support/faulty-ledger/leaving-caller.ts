/** Calls `store` of the records Worker and does not wait for it: its context ends with the response. */
import type { InterceptorEvent } from "../../../src/events/event.ts";

type TestEnv = {
  readonly RECORDS: Fetcher & { readonly store: (events: readonly InterceptorEvent[]) => Promise<void> };
};

export default {
  async fetch(request, { RECORDS }) {
    if (request.method === "GET") return RECORDS.fetch(request);
    void RECORDS.store(await request.json()).catch(() => undefined);
    // The call has left by the time that the response to another one is here.
    const response = await RECORDS.fetch(request.url);
    await response.body?.cancel();
    return new Response(null, { status: 202 });
  },
} satisfies ExportedHandler<TestEnv>;
