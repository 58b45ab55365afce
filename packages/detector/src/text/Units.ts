/** Numbers with units, formatted for people. */

/**
 * Formats bytes: 3 400 000 → `3.2 MB`.
 *
 * @category rendering
 */
export const size = (bytes: number): string => {
  const abs = Math.abs(bytes)
  if (abs >= 1024 ** 3) return `${(bytes / 1024 ** 3).toFixed(1)} GB`
  if (abs >= 1024 ** 2) return `${(bytes / 1024 ** 2).toFixed(1)} MB`
  if (abs >= 1024) return `${Math.round(bytes / 1024)} KB`
  return `${Math.round(bytes)} B`
}

/**
 * Formats a number: 12345 → `12 345`, with a non-breaking space. Numbers below 10 keep one decimal.
 *
 * @category rendering
 */
export const number = (value: number): string =>
  Math.abs(value) < 10 && !Number.isInteger(value)
    ? value.toFixed(1)
    : String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f")
