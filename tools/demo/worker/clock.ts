/**
 * The clock of one Worker in the demonstration: the real time minus an age, so that the Workers' own code records requests of
 * earlier days. Only the entries in this folder import it: neither `npm start` nor a deployment has it in its bundle.
 *
 * The Workers read the time through `Date.now` alone.
 */
const realNow = Date.now;
let ageMs = 0;

Date.now = () => realNow() - ageMs;

/** In milliseconds. */
export const age = (): number => ageMs;

export function setAge(ms: number): void {
  ageMs = ms;
}

/**
 * Makes the alarms of a Durable Object follow this clock too. The platform compares them with the real time. Without this, an
 * alarm for the Worker's next minute three days ago would run at once, find nothing due, and set itself for the same
 * time, again and again.
 */
export function useClockForAlarms(storage: DurableObjectStorage): void {
  const set = storage.setAlarm.bind(storage);
  const get = storage.getAlarm.bind(storage);
  Object.assign(storage, {
    setAlarm: (at: number | Date) => set(Number(at) + ageMs),
    getAlarm: async () => {
      const at = await get();
      return at === null ? null : at - ageMs;
    },
  });
}
