/** Colours, if the terminal shows them. */

/**
 * Functions that emphasize parts of a text.
 *
 * @category models
 */
export interface Style {
  readonly bad: (text: string) => string
  readonly good: (text: string) => string
  readonly unsure: (text: string) => string
  readonly strong: (text: string) => string
  readonly faint: (text: string) => string
}

const wrap = (code: number) => (text: string): string => `\u001b[${code}m${text}\u001b[0m`
const same = (text: string): string => text

/**
 * No colours.
 *
 * @category constructors
 */
export const plain: Style = { bad: same, good: same, unsure: same, strong: same, faint: same }

/**
 * The sixteen colours of a terminal.
 *
 * @category constructors
 */
export const ansi: Style = { bad: wrap(31), good: wrap(32), unsure: wrap(33), strong: wrap(1), faint: wrap(2) }

/**
 * Colours for a terminal, unless `NO_COLOR` is set or the terminal is dumb. `FORCE_COLOR` gives colours on a pipe too.
 *
 * @category constructors
 */
export const styleFor = (
  terminal: boolean,
  env: Readonly<Record<string, string | undefined>>
): Style => {
  if ((env["NO_COLOR"] ?? "") !== "") return plain
  if ((env["FORCE_COLOR"] ?? "") !== "" && env["FORCE_COLOR"] !== "0") return ansi
  return terminal && env["TERM"] !== "dumb" ? ansi : plain
}
