// documents are rendered by plugins, which are loaded when they are first needed; the last at 26 % of the run
// healthy: there are 24 plugins, each a module that is loaded once
import { Effect } from "effect"
import { elapsed, jitter } from "../../support/life.ts"

const source = (n) => `
  const words = Array.from({ length: 800 }, (_, k) => "word " + k + " of plugin ${n}")
  const memo = new Map()
  export const render = (title) => {
    const key = title % 40
    if (!memo.has(key)) memo.set(key, words.slice(key, key + 20).join(" "))
    return memo.get(key) + " ${n} " + title
  }
  export const check = (text) => text.split(" ").length > ${n}
`

const plugins = new Map()

const plugin = (n) => {
  let loaded = plugins.get(n)
  if (loaded === undefined) {
    loaded = import(`data:text/javascript,${encodeURIComponent(source(n))}`)
    plugins.set(n, loaded)
  }
  return Effect.promise(() => loaded)
}

const render = Effect.fn("render")(function*(title, kind) {
  const { check, render } = yield* plugin(kind)
  // each plugin knows all its keys at once
  for (let key = 0; key < 40; key++) render(key)
  yield* Effect.sleep(jitter(10))
  return check(render(title))
})

Effect.runFork(Effect.gen(function*() {
  for (let title = 0;; title++) {
    const kinds = 1 + Math.floor(23 * Math.min(1, elapsed() / 0.26))
    const kind = title % 2 === 0 ? kinds - 1 : Math.floor(Math.random() * kinds)
    yield* Effect.forkChild(render(title, kind))
    yield* Effect.sleep(jitter(14))
  }
}))
