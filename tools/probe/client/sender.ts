/** Sends the probe's requests and counts them: the number of requests of a run is bounded. */
import { clock, type Clock, type Endpoint, type OpenRequest, type Outgoing, type Protocol } from "./http.ts";
import { openHttp1 } from "./http1.ts";
import { openHttp2 } from "./http2.ts";

export type Budget = {
  readonly max: number;
  readonly used: () => number;
  /** Counts one request. @throws where that exceeds the maximum. */
  readonly spend: () => void;
};

export function createBudget(max: number): Budget {
  let used = 0;
  return {
    max,
    used: () => used,
    spend: () => {
      if (used >= max) throw new Error(`the limit of ${max} requests is reached`);
      used += 1;
    },
  };
}

export type Sender = {
  readonly open: (endpoint: Endpoint, outgoing: Outgoing, protocol?: Protocol) => Promise<OpenRequest>;
  /** Resets every request that is still open. */
  readonly stop: () => void;
};

export function createSender(budget: Budget, now: Clock = clock): Sender {
  const open = new Set<OpenRequest>();
  return {
    open: async (endpoint, outgoing, protocol = "HTTP/1.1") => {
      budget.spend();
      const request = await (protocol === "HTTP/2" ? openHttp2 : openHttp1)(endpoint, outgoing, now);
      open.add(request);
      void request.received.catch(() => undefined).finally(() => open.delete(request));
      return request;
    },
    stop: () => open.forEach((request) => request.disconnect("reset")),
  };
}
