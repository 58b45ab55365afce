// A wiki. Edits of the same page must not overlap, so each page has a lock made of promises.
//
// The index tells of every page that it is up to date, also of those that it skips.
import { Effect, Layer, ManagedRuntime } from "effect"
import { EventEmitter } from "node:events"
import "../../support/life.ts"

class PageLock {
  private tail: Promise<unknown> = Promise.resolve()

  run<A>(work: () => Promise<A>): Promise<A> {
    const turn = this.tail.then(work, work)
    this.tail = turn
    return turn
  }
}

const runtime = ManagedRuntime.make(Layer.empty)
const locks: Record<string, PageLock> = Object.create(null)
const pages: Record<string, string> = {}

async function validate(page: string, lines: Array<string>) {
  return await runtime.runPromise(Effect.delay(Effect.succeed(lines.length > 0 && page.length > 0), 3))
}

const index = new EventEmitter()
index.on("saved", (page: string) => {
  setImmediate(() => index.emit(`${page} is up to date`))
})

const afterSave = (page: string) =>
  new Promise<void>((resolve) => {
    index.once(`${page} is up to date`, resolve)
    index.emit("saved", page)
  })

async function edit(page: string, lines: Array<string>) {
  if (!await validate(page, lines)) return
  const lock = locks[page] ??= new PageLock()
  await lock.run(async () => {
    pages[page] = lines.join("\n")
    await afterSave(page)
  })
}

const titles = ["Home", "Team", "Drafts", "News", "Help", "Rooms", "Food"]
const author = () => {
  const page = titles[Math.floor(Math.random() * titles.length)]!
  const lines = Array.from({ length: 60 }, (_, n) => `${n}. ${Math.random()}`)
  void edit(page, lines)
  setTimeout(author, 5 + Math.random() * 10)
}
author()
