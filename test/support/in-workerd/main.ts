/** The Worker that the tests inside workerd run in: the records Worker, with the gateway's Durable Object beside it. */
import { ReplayCacheShard } from "../../../src/gateway/initiator/replay-cache-shard.ts";
import RecordsWorker from "../../../src/records/index.ts";

export { ReplayCacheShard as NonceShard };
export default RecordsWorker;
