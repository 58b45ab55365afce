/** Text measured in terminal columns, not characters: East Asian characters and emoji take two columns, combining marks take none. */

// The blocks whose characters are wide in every font, according to `East_Asian_Width`, and characters that are emoji by themselves.
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u
const none = /^\p{M}$/u

const widthOf = (char: string): number => char < "\u0300" ? 1 : none.test(char) ? 0 : wide.test(char) ? 2 : 1

/** The number of columns that a text takes. */
export const columnsOf = (text: string): number => {
  let columns = 0
  for (const char of text) columns += widthOf(char)
  return columns
}

/** The longest beginning of a text that fits into `columns`. It never ends inside a character. */
export const fitting = (text: string, columns: number): string => {
  let taken = 0
  let end = 0
  for (const char of text) {
    taken += widthOf(char)
    if (taken > columns) break
    end += char.length
  }
  return text.slice(0, end)
}

/** A text cut to `columns`, with an ellipsis at the end if it was cut. */
export const cut = (text: string, columns: number): string =>
  columnsOf(text) <= columns ? text : `${fitting(text, columns - 1)}…`

/**
 * Breaks a text at spaces into lines of at most `columns`. If it begins with a label and several spaces, the further lines are
 * indented to the text after the label.
 */
export const wrap = (text: string, columns: number): ReadonlyArray<string> => {
  const hanging = /^(\w+ {2,})(?=\S)/.exec(text)?.[1] ?? ""
  const indent = hanging.length >= 6 && hanging.length <= 8 ? " ".repeat(hanging.length) : ""
  const out: Array<string> = []
  let line = hanging
  let empty = true
  for (const word of text.slice(hanging.length).split(/ (?=\S)/)) {
    let rest = word
    if (!empty && columnsOf(line) + 1 + columnsOf(rest) > columns) {
      out.push(line)
      line = indent
      empty = true
    }
    while (empty && columnsOf(line) + columnsOf(rest) > columns) {
      // A word that is longer than a line, such as a path, is cut at the end of the line.
      const part = piece(rest, Math.max(1, columns - line.length))
      out.push(line + part)
      rest = rest.slice(part.length)
      line = indent
    }
    line += empty ? rest : ` ${rest}`
    empty = false
  }
  if (!empty) out.push(line)
  return out
}

/**
 * The beginning of a text that is too long for a line. It has at least one character, even when none fits. The rest does not begin
 * with `::`, which would be a command in a CI log.
 */
export const piece = (text: string, columns: number): string => {
  const part = fitting(text, columns) || [...text][0]!
  return text.startsWith("::", part.length) ? fitting(text, columns - 1) || part : part
}
