/**
 * Makes text from the observed program harmless for the place where it is printed.
 *
 * **Details**
 *
 * The program, and often its users, choose the names of spans, files, arguments and messages. None of them may move the cursor of a
 * terminal, start a line of a log, give a command to a CI system or change the structure of a page. So control characters are written as
 * visible escapes (`\n`, `\x1b`, `\u202e`), and each text is cut at a fixed length.
 *
 * {@link printable} does this for all strings of a value. It is applied in `Diagnosis`, where findings are made, and in
 * `report/Renderer`, where rendering begins, so a rule or a rendering that forgets it is safe as well. {@link markdown} and the
 * functions for GitHub expect printable text. In JSON, findings are printable too; other strings are unchanged, and their control
 * characters are JSON escapes.
 */

/**
 * The most characters that are printed of a name, of a file (whose path may be opened), of a sentence, and of the key of a finding,
 * which fits into one line of a report of 100 columns.
 */
export const longest = { name: 160, file: 1024, text: 1000, key: 88 } as const

// Cc: C0, DEL and C1. Cf: bidi and zero-width controls, tags. Cs: unpaired surrogates. Zl, Zp: ends of lines.
// The others are a joiner, fillers and variation selectors, which are invisible.
// oxlint-disable-next-line no-misleading-character-class -- each is meant alone
const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u{e0100}-\u{e01ef}]/u

/** A command of a CI system: `##[error]`, `##vso[…`, and `::error` unless it is inside a name such as `Users::find`. */
const command = /(?<![\w$)\]])::(?=[a-z])|##(?=\w*\[)/gi

const named: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }

const visible = (char: string): string => {
  if (!hidden.test(char)) return char
  const code = char.codePointAt(0)!
  return named[char] ?? (code < 0x100
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : code < 0x10000
    ? `\\u${code.toString(16).padStart(4, "0")}`
    : `\\u{${code.toString(16)}}`)
}

/**
 * A text as one line without control characters, at most `most` characters long. A text that is cut ends with an ellipsis.
 *
 * **Details**
 *
 * It is idempotent. Commands of CI systems become harmless: `::error` becomes `:\:error`.
 *
 * **Example**
 *
 * ```ts
 * import { oneLine } from "./Untrusted.ts"
 *
 * console.log(oneLine("GET /users\n\u001b[2J")) // GET /users\n\x1b[2J
 * console.log(oneLine("a long name", 7)) // a long…
 * ```
 */
export const oneLine = (text: string, most: number = longest.text): string => {
  const part = text.slice(0, most + 1).replace(command, (found) => `${found[0]}\\${found[1]}`)
  if (part.length <= most && !hidden.test(part)) return part
  let out = ""
  let whole = ""
  for (const char of part) {
    const shown = visible(char)
    if (out.length + shown.length > most) return `${whole}…`
    out += shown
    // A combining mark stays with the character before it.
    if (out.length < most) whole = out
  }
  return out
}

/**
 * A value whose strings, and keys of objects, all went through {@link oneLine}. Names and files have other length limits than
 * sentences.
 */
export const printable = <A>(value: A): A => printed(value, longest.text) as A

const lengths: ReadonlyMap<string, number> = new Map([
  ["name", longest.name],
  ["command", longest.name],
  ["argv", longest.name],
  ["file", longest.file]
])

const printed = (value: unknown, most: number): unknown => {
  if (typeof value === "string") return oneLine(value, most)
  if (Array.isArray(value)) return value.map((one) => printed(one, most))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map((
      [key, one]
    ) => [oneLine(key, longest.name), printed(one, lengths.get(key) ?? longest.text)])
  )
}

const notInKeys = new RegExp(`${command.source}|[\\\\"%]|${hidden.source}`, "giu")

const percent = (char: string): string =>
  /\p{Cs}/u.test(char)
    ? `%u${char.charCodeAt(0).toString(16)}`
    : Array.from(Buffer.from(char), (byte) => `%${byte.toString(16).padStart(2, "0").toUpperCase()}`).join("")

/**
 * A text as a key that people copy. Different texts have different keys. {@link oneLine} does not change a key, and a JSON string needs
 * no escapes for it: characters that would need one are percent-encoded.
 *
 * **Example**
 *
 * ```ts
 * import { keyText } from "./Untrusted.ts"
 *
 * console.log(keyText("a \"b\"\n")) // a %22b%22%0A
 * ```
 */
export const keyText = (text: string): string =>
  text.replaceAll(
    notInKeys,
    (found) => found === "::" || found === "##" ? found[0] + percent(found[1]!) : percent(found)
  )

/** The message of an error as one line: ends of lines become spaces. */
export const oneSentence = (message: string): string => oneLine(message.trim().replaceAll(/\s*[\r\n]\s*/g, " "))

// A zero-width space as an entity. It keeps GitHub from recognizing @names, #numbers, addresses and :emoji:.
const gap = "&#8203;"

/**
 * Printable text as text in Markdown. It produces no emphasis, code, link, image, HTML, table, heading, list, mention, reference,
 * address or emoji.
 */
export const markdown = (text: string): string =>
  text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll(/[\\`*_{}[\]|~$]/g, "\\$&")
    .replace(/^[-+=#]|^\d+(?=[.)](?:\s|$))/, (start) => /\d/.test(start) ? `${start}\\` : `\\${start}`)
    .replaceAll(
      /@(?=\w)|#(?=\d)|\bGH-(?=\d)|:(?=\/\/)|\bwww(?=\.)|\b(?:mailto|xmpp):|:(?=(?:100|1234|[a-z+-][\w+-]*):)/gi,
      `$&${gap}`
    )

/** Printable text as code in Markdown: a code span if that is safe in every renderer, otherwise `<code>` with escaped text. */
export const markdownCode = (text: string): string =>
  /^(?!.*(?:\/\/|www\.|mailto:|::))[\w$ ./:()+,=…-]*[\w$./:()+,=…-]$/.test(text) && !text.startsWith(" ")
    ? `\`${text}\``
    : `<code>${markdown(text)}</code>`

/** Text as the data of a GitHub workflow command, escaped as the runner's own toolkit does. Ends of lines remain ends of lines. */
export const githubData = (text: string): string =>
  text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A")

/** Text as a property of a GitHub workflow command. */
export const githubProperty = (text: string): string => githubData(text).replaceAll(":", "%3A").replaceAll(",", "%2C")

/** A value as JSON with control characters as JSON escapes: a parser gets the original strings, a terminal gets no control characters. */
export const json = (value: unknown): string =>
  JSON.stringify(value, undefined, 2).replaceAll(
    /[^\n\P{Cc}]|[\p{Cf}\p{Zl}\p{Zp}]/gu,
    (char) => char.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")
  )
