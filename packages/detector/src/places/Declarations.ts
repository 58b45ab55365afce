/** Finds the line on which a variable is declared. V8 knows the variable and a function that uses it, but not its line. */
import type { Place } from "../agent/Protocol.ts"

/** A longer line is generated, and has more than one declaration. */
const maxLength = 400

const isIdentifier = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u

const indentOf = (line: string): number => line.search(/\S/)

/**
 * The declaration of a variable, as seen from a function: the nearest one above it that is not indented more, or else the first one in the
 * file that is not indented at all.
 */
export const declarationIn = (text: string, variable: string, near: Place): Place | undefined => {
  if (!isIdentifier.test(variable)) return undefined
  const lines = text.split("\n")
  const declares = new RegExp(
    String.raw`(?:^|[^\w$.])(?:const|let|var|class|function\s*\*?)\s+(${
      variable.replaceAll("$", String.raw`\$`)
    })(?![\w$])`
  )
  const columnIn = (line: string): number | undefined => {
    const match = line.length > maxLength ? null : declares.exec(line)
    return match === null ? undefined : match.index + match[0].length - variable.length + 1
  }
  const placeAt = (index: number, column: number): Place => ({
    name: variable,
    file: near.file,
    line: index + 1,
    column
  })
  const start = Math.min(near.line ?? lines.length, lines.length) - 1
  let indent = Infinity
  for (let i = start; i >= 0; i--) {
    const own = indentOf(lines[i]!)
    if (own < 0) continue
    const column = own <= indent ? columnIn(lines[i]!) : undefined
    if (column !== undefined) return placeAt(i, column)
    indent = Math.min(indent, own)
  }
  for (let i = start + 1; i < lines.length; i++) {
    const column = indentOf(lines[i]!) === 0 ? columnIn(lines[i]!) : undefined
    if (column !== undefined) return placeAt(i, column)
  }
  return undefined
}
