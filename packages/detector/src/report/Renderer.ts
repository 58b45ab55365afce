/** The entry of a report into a rendering. After it, no string has control characters. */
import { printable } from "../text/Untrusted.ts"

/**
 * Makes a rendering from a function, which receives a report whose strings are printable and have one line each. A test passes hostile
 * strings through every rendering of this folder.
 */
export const renderer = <Report, Options extends ReadonlyArray<unknown>>(
  render: (report: Report, ...options: Options) => string
): (report: Report, ...options: Options) => string =>
(report, ...options) => render(printable(report), ...options)
