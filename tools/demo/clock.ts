/** Sets the clock of both Workers of the demonstration (worker/clock.ts). */

/** Only the demonstration has this path. */
export const CLOCK_PATH = "/local/clock";

/** Everything sent before must be recorded already. `ageMs`: how far in the past the Workers are from now on. */
export async function setClock(url: string, ageMs: number): Promise<void> {
  const response = await fetch(`${url}${CLOCK_PATH}?age_ms=${ageMs}`, { method: "POST" });
  if (!response.ok) throw new Error(`The clock was not set: status ${response.status}.`);
}
