/**
 * Streams a request body to the provider as it arrives. If the upload fails, it determines which side broke: the failed
 * fetch rejects in the same way for both.
 */
export type Upload = {
  readonly body: ReadableStream;
  /** Call it after the fetch has failed: whether the client's side of the body broke. */
  readonly brokenByClient: () => Promise<boolean>;
};

/** `length`: the body's declared length, which is sent to the provider. */
export function openUpload(source: ReadableStream, length: number): Upload {
  const through = new FixedLengthStream(length);
  // If the provider's side breaks, the source is not cancelled, so that its state can still be read.
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
      // A broken source has ended the pipe. An intact one may keep the pipe, or the read, pending.
      return Promise.race([broken, nextTurn().then(() => false)]);
    },
  };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
