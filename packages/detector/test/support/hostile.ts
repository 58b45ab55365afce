/** Hostile texts that a program may contain anywhere, and the characters that must not reach an output. */
import type { SchemaAST } from "effect"

/** Texts that try to affect the output outside the place where they are printed. */
export const hostile: ReadonlyArray<string> = [
  "evil\u001b[2J\u001b[31mRED\u001b]0;title-pwned\u0007",
  "line1\n::error file=x.ts::INJECTED\n## heading",
  "md `code` [click](http://evil.example) ![img](http://evil.example/x.png) <script>alert(1)</script> @octocat | a | b",
  "L".repeat(100_000),
  "\u001b".repeat(5000),
  "::error::a ::set-output name=a::b ##[error]c ##vso[task.setvariable variable=a]b",
  `${"a".repeat(57)}::error file=x.ts,line=1::cut ${"b".repeat(130)}::error::cut`,
  "c1 \u009b2J\u0090\u0085 del \u007f nul \u0000 \r\n\t\v\f",
  "bidi \u202e\u2066\u200f zero \u200b\u200d\u2060\ufeff ends \u2028\u2029 tag \u{e0041} half \ud83d and \ude00",
  "\ud800".repeat(300),
  "wide 漢字かな한글 😀👨‍👩‍👧 e\u0301\u0301 ".repeat(40),
  "# heading",
  "- item\n- item\n\n1. one\n\n> quote\n\n---\n\n===\n",
  "1. one",
  "+ plus = equals ~~gone~~ **strong** __strong__ *a* _b_ $x$ :tada: server.ts:100:7",
  "```\nfence\n```",
  "``a` ``` b",
  "| a | b |\n|---|---|\n| c | d |",
  "[x]: http://evil.example\n[x][x] [x] https://evil.example www.evil.example mailto:a@evil.example evil@evil.example",
  "<img src=x onerror=alert(1)> <!-- <a href=\"http://evil.example\">x</a> &lt;b&gt; <https://evil.example> </code></details>",
  "@octocat @octo/cats #1 octo/cat#1 GH-1",
  "%0A::error::x %3A, a:b,c;d \"quoted\" 'q' \\ \\n \\u001b",
  "$& $1 $` ${x}",
  "__proto__",
  ""
]

/** Control characters, except ends of lines. */
export const controls = /[^\n\P{Cc}]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

/**
 * A value of a schema with a given number of items in each list. Each string comes from `text`, which receives its path. Optional
 * fields are present.
 */
export const valueOf = (ast: SchemaAST.AST, items: number, text: (path: string) => string, path = ""): unknown => {
  switch (ast._tag) {
    case "String":
      return text(path)
    case "Number":
      return path.length % 7 + 1
    case "Boolean":
      return false
    case "Literal":
      return ast.literal
    case "Undefined":
      return undefined
    case "Union":
      return valueOf(ast.types[0]!, items, text, path)
    case "Arrays": {
      const rest = ast.rest[0]
      return [
        ...ast.elements.map((one, i) => valueOf(one, items, text, `${path}.${i}`)),
        ...rest === undefined
          ? []
          : Array.from({ length: items }, (_, i) => valueOf(rest, items, text, `${path}.${i}`))
      ]
    }
    case "Objects":
      return Object.fromEntries([
        ...ast.propertySignatures.map(({ name, type }) =>
          [String(name), valueOf(type, items, text, `${path}.${String(name)}`)] as const
        ),
        ...ast.indexSignatures.flatMap(({ type }) =>
          ["fibers.live", "heap.floor", "rss", text(`${path}.key`)].map((key) =>
            [key, valueOf(type, items, text, `${path}.${key.slice(0, 20)}`)] as const
          )
        )
      ])
    default:
      throw new Error(`${path}: nothing is known of ${ast._tag}`)
  }
}
