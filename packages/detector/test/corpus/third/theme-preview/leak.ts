// Express-like handlers around a little Effect core. A preview of a theme gets services of its own.
//
// Wrong: each preview makes a ManagedRuntime, and nobody disposes of it. The layer has a fiber that watches for changes.
import { Context, Effect, Layer, ManagedRuntime } from "effect"
import "../../support/life.ts"

class Theme extends Context.Service<Theme, { render(page: string): Effect.Effect<string> }>()("Theme") {}

const themeLayer = (name: string) =>
  Layer.effect(
    Theme,
    Effect.gen(function*() {
      const variables = new Map<string, string>()
      for (let i = 0; i < 40; i++) variables.set(`--${name}-${i}`, `#${Math.random().toString(16).slice(2, 8)}`)
      yield* Effect.sleep(2000).pipe(
        Effect.andThen(Effect.sync(() => variables.set("checked", name))),
        Effect.forever,
        Effect.forkScoped
      )
      return {
        render: (page) => Effect.succeed([...variables].map(([k, v]) => `${k}: ${v}`).join(";") + page)
      }
    })
  )

const main = ManagedRuntime.make(themeLayer("default"))

async function showPage(page: string) {
  return await main.runPromise(Effect.flatMap(Theme, (theme) => theme.render(page)))
}

async function showPreview(name: string, page: string) {
  const runtime = ManagedRuntime.make(themeLayer(name))
  return await runtime.runPromise(Effect.flatMap(Theme, (theme) => theme.render(page)))
}

let n = 0
setInterval(async () => {
  n++
  if (n % 10 === 0) await showPreview(`theme${n}`, "/home")
  else await showPage(`/page/${n % 30}`)
}, 11)
