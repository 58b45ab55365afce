import { assert, describe, it } from "@effect/vitest"
import { marked } from "marked"
import { mark } from "../../src/diagnosis/Accepted.ts"
import { fingerprint } from "../../src/Finding.ts"
import { keyText, longest, markdown, markdownCode, oneLine, oneSentence, printable } from "../../src/text/Untrusted.ts"
import { finding } from "../support/finding.ts"
import { controls, hostile } from "../support/hostile.ts"
import { random, seeds } from "../support/random.ts"

/** Any text: mostly control characters and halves of surrogate pairs. */
const texts: ReadonlyArray<string> = [
  ...hostile,
  ...seeds(200).map((seed) => {
    const { integer, pick } = random(seed)
    return Array.from({ length: integer(1, 40) }, () =>
      pick([
        () => String.fromCharCode(integer(0, 0xffff)),
        () => String.fromCodePoint(integer(0x10000, 0x10ffff)),
        () => String.fromCharCode(integer(0, 0xa0)),
        () => pick([":", "::", "##", "[", "%", "\\", "\"", "@", "error", " "])
      ])()).join("")
  })
]

describe("oneLine", () => {
  it("removes control characters, keeps to the length limit, and is idempotent", () => {
    for (const text of texts) {
      for (const most of [1, 2, 7, 30, longest.text]) {
        const line = oneLine(text, most)
        assert.notMatch(line, controls)
        assert.notInclude(line, "\n")
        assert.isAtMost(line.length, most)
        assert.strictEqual(oneLine(line, most), line)
      }
    }
  })

  it("shows control characters as escapes, and keeps text of any language", () => {
    assert.strictEqual(
      oneLine("a\n\r\t\u0000\u001b\u007f\u009b\u202e\u2028\u{e0041}\ud83d"),
      "a\\n\\r\\t\\x00\\x1b\\x7f\\x9b\\u202e\\u2028\\u{e0041}\\ud83d"
    )
    for (
      const text of [
        "GET /users/:id",
        "Überprüfung",
        "日本語",
        "مرحبا",
        "नमस्ते",
        "e\u0301",
        "😀",
        "12\u202f345",
        "Users::find"
      ]
    ) {
      assert.strictEqual(oneLine(text), text)
    }
  })

  it("never cuts a character in half", () => {
    assert.strictEqual(oneLine("ab😀cd", 4), "ab…")
    assert.strictEqual(oneLine("ab😀cd", 5), "ab😀…")
    assert.strictEqual(oneLine("ab\u001bcd", 5), "ab…", "nor what stands for one")
  })

  it("makes commands of CI systems harmless", () => {
    assert.strictEqual(oneLine("::error::x"), ":\\:error::x")
    assert.strictEqual(oneLine("a\n::error::x"), "a\\n:\\:error::x")
    assert.strictEqual(oneLine("##[error]x ##vso[y]"), "#\\#[error]x #\\#vso[y]")
  })
})

describe("printable", () => {
  it("changes all strings and keys, and nothing else", () => {
    const value = { a: ["x\n", { "k\u001b": "y\r" }], n: 1, b: false, u: undefined, z: null }
    assert.deepStrictEqual(
      printable(value),
      { a: ["x\\n", { "k\\x1b": "y\\r" }], n: 1, b: false, u: undefined, z: null } as never
    )
    assert.strictEqual(printable({ name: "n".repeat(500) }).name.length, longest.name)
    assert.strictEqual(printable({ file: "f".repeat(500) }).file.length, 500)
  })
})

describe("oneSentence", () => {
  it("joins the lines of a message with spaces", () => {
    assert.strictEqual(oneSentence("Expected\n  at [\"a\"]\r\n\u001b[31m"), "Expected at [\"a\"] \\x1b[31m")
  })
})

describe("a fingerprint", () => {
  const of = (name: string, file?: string) =>
    fingerprint("fiber-growth", file === undefined ? { name } : { name, file })

  it("is printed unchanged, and needs no escapes in a file of accepted findings", () => {
    for (const text of texts) {
      for (const key of [of(text), of(text, `/app/${text}`)]) {
        assert.strictEqual(printable({ fingerprint: key }).fingerprint, key)
        assert.strictEqual(JSON.parse(`"${key}"`), key)
        assert.isAtMost(key.length, longest.key)
        const [marked] = mark([{ fingerprint: key, reason: "known", until: "2999-01-01" }], 0)([
          finding("fiber-growth", { fingerprint: key })
        ])
        assert.isDefined(marked!.accepted)
      }
    }
  })

  it("differs when names differ, even after the printed part and in invisible characters", () => {
    const different = [
      ...new Set(texts),
      "a\n",
      "a\\n",
      "a%0A",
      "a\u200b",
      "a",
      `${"x".repeat(500)}1`,
      `${"x".repeat(500)}2`
    ]
    assert.strictEqual(new Set(different.map((text) => of(text))).size, new Set(different).size)
    assert.strictEqual(of("handler", "/app/src/server.ts"), "fiber-growth:handler@src/server.ts")
    assert.match(of("n".repeat(200), "/app/src/server.ts"), /^fiber-growth:n+~[0-9a-f]{10}@src\/server\.ts$/)
  })

  it("is accepted as printed when it comes from a custom rule", () => {
    const own = "mine:\u001b[31m"
    const [marked] = mark([{ fingerprint: oneLine(own), reason: "known", until: "2999-01-01" }], 0)([
      finding("fiber-growth", { fingerprint: own })
    ])
    assert.isDefined(marked!.accepted)
  })

  it("percent-encodes characters that need an escape between quotes", () => {
    assert.strictEqual(
      keyText("GET /a \"b\"\\ 100%\u009b😀\ud800 ::error"),
      "GET /a %22b%22%5C 100%25%C2%9B😀%ud800 :%3Aerror"
    )
  })
})

describe("text in Markdown", () => {
  const shown = (html: string): string =>
    html.replaceAll(/<\/?(?:p|code)>\n?/g, "").replaceAll(/&#8203;/g, "")
      .replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", "\"").replaceAll("&#39;", "'").replaceAll(
        "&amp;",
        "&"
      )

  it("renders as the original text, as a sentence and as code", () => {
    for (const text of texts) {
      const line = oneLine(text).trim().replaceAll(/ +/g, " ")
      if (line === "") continue
      for (const page of [markdown(line), markdownCode(line)]) {
        assert.strictEqual(shown(String(marked(page, { async: false }))).trim(), line, page)
      }
    }
  })

  it("is a code span when it contains nothing special", () => {
    assert.strictEqual(markdownCode("handler (src/server.ts:42:7)"), "`handler (src/server.ts:42:7)`")
    for (const text of ["@octocat", "a`b", "http://x", "www.x", " a", "<b>", "Foo::bar"]) {
      assert.match(markdownCode(text), /^<code>.*<\/code>$/)
    }
  })
})
