/** Micro-dollars as dollars with six places, exactly. */
export const dollars = (micros: number): string =>
  `${Math.floor(micros / 1e6)}.${String(micros % 1e6).padStart(6, "0")}`;
