/** Decimal numbers of dollars as whole micro-dollars. */

const DECIMAL = /^(\d{1,9})(?:\.(\d{1,30}))?(?:e([+-]?\d{1,2}))?$/i;
const MICRO_DIGITS = 6;

/** Rounded up; null where the text is no such number, is negative, or is too large to be the cost of a call. */
export function toMicros(dollars: string): number | null {
  const [, whole, fraction = "", exponent = "0"] = DECIMAL.exec(dollars.trim()) ?? [];
  if (whole === undefined) return null;
  const shift = MICRO_DIGITS + Number(exponent) - fraction.length;
  const digits = BigInt(whole + fraction);
  if (shift > 20) return digits === 0n ? 0 : null;
  const scale = 10n ** BigInt(Math.abs(shift));
  const micros = Number(shift >= 0 ? digits * scale : (digits + scale - 1n) / scale);
  return Number.isSafeInteger(micros) ? micros : null;
}
