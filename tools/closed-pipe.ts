/** Ends the process quietly once no process reads its output, as in `npm run report | head`. */

/** Without it, Node prints the stack of an EPIPE error. Called once, before the first output. */
export function exitOnClosedPipe(): void {
  let isEnding = false;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      // Every further write fails too, and a second signal would end a command before it has stopped its children.
      if (isEnding) return;
      isEnding = true;
      if (!process.emit("SIGTERM")) process.exit(0);
    });
  }
}
