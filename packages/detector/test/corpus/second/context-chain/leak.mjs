/*
 * Each job has a context in an AsyncLocalStorage, so that log lines can say which job they belong to.
 *
 * What is wrong: the next job is scheduled from within the context of the one before, and takes that as its parent: a
 * chain of contexts whose end is never reached.
 */
import { Effect } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import "../../support/life.ts"

const contexts = new AsyncLocalStorage()
const lines = { count: 0 }

const log = (text) => {
  const context = contexts.getStore()
  lines.count += `${context?.job} ${text}`.length
}

const work = (size) =>
  Effect.gen(function*() {
    log("starts")
    yield* Effect.sleep(4)
    log(`ends, ${size} bytes`)
    return size
  })

const newContext = (job) => ({
  job,
  parent: contexts.getStore(),
  baggage: Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`key-${n}`, `${job}/${n}`]))
})

function runJob(job) {
  contexts.run(newContext(job), () => {
    Effect.runPromise(work(job * 7)).then(() => scheduleJob(job + 1))
  })
}

function scheduleJob(job) {
  setTimeout(() => runJob(job), 4 + Math.random() * 8)
}

scheduleJob(1)
