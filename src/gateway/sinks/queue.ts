/** Sends messages to the queue, from which the records Worker stores their events. */
/** Messages in one call, which may have 256,000 bytes. */
const MESSAGES_PER_CALL = 2;

/** Resolves when the queue has taken them all. Where it rejects, it may have taken some; sending all of them again is safe. */
export async function sendMessages(queue: Queue, messages: readonly string[]): Promise<void> {
  for (let at = 0; at < messages.length; at += MESSAGES_PER_CALL) {
    const [first, ...others] = messages.slice(at, at + MESSAGES_PER_CALL);
    if (first === undefined) return;
    // As text: the consumer gets exactly the characters that were written here.
    if (others.length === 0) await queue.send(first, { contentType: "text" });
    else await queue.sendBatch([first, ...others].map((body) => ({ body, contentType: "text" })));
  }
}
