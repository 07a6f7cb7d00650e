/** The frame of a command: help, invalid arguments, and a failure as one sentence. */
import { BAD_USAGE, sentenceOf } from "./start-failure.ts";

export type CommandFrame<Command> = {
  readonly usage: string;
  /** The command, or one sentence that says why the arguments are invalid. */
  readonly read: (args: readonly string[]) => Command | string;
  /** @returns the text to print. */
  readonly run: (command: Command) => Promise<string>;
};

/** @returns the exit code: 0, 1 after a failure, 2 for invalid arguments. */
export async function runCommand<Command extends object>(
  args: readonly string[],
  { usage, read, run }: CommandFrame<Command>,
): Promise<number> {
  if (args.length === 0 || args.includes("--help") || args.includes("-h")) {
    process.stdout.write(usage);
    return args.length === 0 ? BAD_USAGE : 0;
  }
  const command = read(args);
  if (typeof command === "string") {
    process.stderr.write(`${command} (See --help.)\n`);
    return BAD_USAGE;
  }
  try {
    process.stdout.write(await run(command));
    return 0;
  } catch (error) {
    process.stderr.write(`${sentenceOf(error)}\n`);
    return 1;
  }
}
