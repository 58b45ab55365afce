/**
 * Names an anonymous function after the declaration around it, which is read from the source.
 *
 * Arrow functions and generators passed to `Effect.gen` are anonymous to V8. People name them by the constant, the function or the
 * `Effect.fn` around them. In formatted code, that is the nearest declaration above with less indentation.
 */
import type { Place } from "../agent/Protocol.ts"
import { isProgramFrame } from "./frames.ts"

const declarations: ReadonlyArray<RegExp> = [
  /Effect\.fn\(\s*["'`]([^"'`]+)["'`]/,
  /\bfunction\s*\*?\s*([\w$]+)\s*[(<]/,
  /\b(?:const|let|var)\s+([\w$]+)\s*(?::[^=]*)?=/,
  /^\s*(?:(?:public|private|protected|static|readonly|async|override)\s+)*\*?\s*#?([\w$]+)\s*\([^)]*\)\s*(?::[^{]*)?\{/,
  /^\s*(?:readonly\s+|static\s+)*#?([\w$]+)\s*[:=]\s*(?:async\s*)?(?:\(|function|[\w$]+\s*=>|Effect\.)/
]

const keywords = new Set(["if", "for", "while", "switch", "catch", "return", "function", "with"])

const maxLines = 200

/** The longest usable line, in characters. Longer lines are generated, and a declaration on one says nothing about the code beside it. */
const maxLength = 400

/** The name of the declaration around a line (1-based) of a source text, if one is found. */
const nameAround = (lines: ReadonlyArray<string>, line: number): string | undefined => {
  let indent = Infinity
  for (let at = Math.min(line, lines.length); at > Math.max(0, line - maxLines); at--) {
    const text = lines[at - 1]!
    if (text.length > maxLength) return undefined
    const own = text.search(/\S/)
    if (own < 0 || own >= indent) continue
    for (const declaration of declarations) {
      const name = declaration.exec(text)?.[1]
      // A declaration on the line itself only counts if the line begins a function.
      if (name === undefined || keywords.has(name) || (at === line && !/=>|function|Effect\.(?:gen|fn)/.test(text))) {
        continue
      }
      return name
    }
    indent = own
    if (own === 0) return undefined
  }
  return undefined
}

/** Whether a function is the constructor of a class: V8 gives it the name of the class. */
const isConstructor = (lines: ReadonlyArray<string>, { line, name }: Place): boolean => {
  const text = lines[line! - 1] ?? ""
  return /^\s*constructor\s*\(/.test(text) || (/\bclass\b/.test(text) && text.includes(`class ${name}`))
}

/** Whether a name is that of a constructor: `new Session`, as in a stack trace. */
export const isNew = ({ name }: Pick<Place, "name">): boolean => name.startsWith("new ")

/** Names places in anonymous functions and constructors. `read` gives the text of a file, if it exists and may be read. */
export const makeNamer = (read: (file: string) => string | undefined): (place: Place) => Place => {
  const sources = new Map<string, ReadonlyArray<string>>()
  const linesOf = (file: string): ReadonlyArray<string> => {
    let lines = sources.get(file)
    // The source may be bundled or on another machine. Then the place stays without a name.
    if (lines === undefined) sources.set(file, lines = read(file)?.split("\n") ?? [])
    return lines
  }
  return (place) => {
    if (place.file === undefined || place.line === undefined || !isProgramFrame(place)) return place
    const lines = linesOf(place.file)
    if (place.name !== "") return isConstructor(lines, place) ? { ...place, name: `new ${place.name}` } : place
    const name = nameAround(lines, place.line)
    return name === undefined ? place : { ...place, name }
  }
}
