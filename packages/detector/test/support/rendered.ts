/** Checks of rendered reports. */
import { assert } from "@effect/vitest"
import type { Token } from "marked"
import { lexer } from "marked"
import { controls } from "./hostile.ts"

/** A line that a CI system would obey. */
export const isCommand = /^\s*::|##\w*\[/

/** Fails if a text controls a terminal, or has a line that a CI system would obey. */
export const assertIsText = (text: string, name: string): void => {
  assert.notMatch(text, controls, name)
  for (const line of text.split("\n")) assert.notMatch(line, isCommand, name)
}

/** The structure of a page without its text. */
const structure = (tokens: ReadonlyArray<Token>): ReadonlyArray<string> =>
  tokens.flatMap((token) => {
    if (token.type === "escape" || token.type === "text" && !("tokens" in token)) return []
    if (token.type === "html") return [token.raw]
    const inner = "items" in token
      ? token.items as ReadonlyArray<Token>
      : "rows" in token
      ? [...token.header, ...token.rows.flat()].flatMap((cell: { tokens: ReadonlyArray<Token> }) => cell.tokens)
      : token.type === "codespan"
      ? []
      : (token as { readonly tokens?: ReadonlyArray<Token> }).tokens ?? []
    return [token.type, ...structure(inner)]
  })

/** Makes two parses comparable: code has two forms, and some parsers show a label as strong only by the specification. */
export const shape = (markdown: string): ReadonlyArray<string> =>
  structure(lexer(markdown)).filter((type) =>
    !["codespan", "<code>", "</code>", "text", "space", "strong"].includes(type)
  )
