/**
 * A request's body on its way to the provider as it comes, and the answer to whose fault it was if it did not arrive:
 * the failed fetch says the same either way.
 */
export type Upload = {
  readonly body: ReadableStream;
  /** After the fetch has failed: whether the client's side of the body is what broke. */
  readonly brokenByClient: () => Promise<boolean>;
};

/** `length`: the body's declared length, which the provider is told. */
export function openUpload(source: ReadableStream, length: number): Upload {
  const through = new FixedLengthStream(length);
  // The source is left as it is when the provider's side breaks, so that it can be asked.
  const piped = source.pipeTo(through.writable, { preventCancel: true }).catch(() => undefined);
  return {
    body: through.readable,
    brokenByClient: () => {
      const broken = piped
        .then(() => source.getReader().read())
        .then(
          () => false,
          () => true,
        );
      // A source that broke has ended the pipe; one that did not may keep it, or the read, waiting.
      return Promise.race([broken, nextTurn().then(() => false)]);
    },
  };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
