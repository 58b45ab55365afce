// form letters: whoever edits one sees a preview, which is made anew when somebody saves the template
// when the preview is left, the file is no longer watched
import { Effect } from "effect"
import { mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { jitter } from "../../support/life.ts"

const folder = mkdtempSync(join(tmpdir(), "letters-"))
process.on("exit", () => rmSync(folder, { recursive: true }))

const templates = ["reminder", "invoice", "welcome"].map((name) => join(folder, name))
for (const template of templates) writeFileSync(template, "Dear {name}, please pay {sum}.\n".repeat(160))

class Preview {
  constructor(template, customer) {
    this.customer = customer
    this.render(template)
    this.watcher = watch(template, () => this.render(template))
  }

  render(template) {
    const lines = readFileSync(template, "utf8").split("\n")
    this.lines = lines.map((line, n) => line.replace("{name}", this.customer).replace("{sum}", String(n)))
  }

  leave() {
    this.watcher.close()
    this.customer = undefined
  }
}

const edit = (number) =>
  Effect.gen(function*() {
    const preview = new Preview(templates[number % 3], `customer ${number}`)
    yield* Effect.sleep(jitter(600))
    preview.leave()
  })

const printLetter = (number) =>
  Effect.sleep(5).pipe(
    Effect.map(() => Array.from({ length: 60 }, (_, n) => `${n}. letter ${number}`).join("\n").length)
  )

Effect.runFork(Effect.gen(function*() {
  for (let number = 1;; number++) {
    Effect.runFork(printLetter(number))
    if (number % 12 === 0) Effect.runFork(edit(number))
    yield* Effect.sleep(jitter(13))
  }
}))
