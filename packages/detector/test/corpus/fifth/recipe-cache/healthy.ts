/*
 * Recipes over HTTP, with their nutrition values worked out once and cached. More and more recipes are discovered until
 * the cache is full, at 45 % of the run; from then on each new one drives out another.
 *
 * Why it is healthy: the cache has a capacity.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Cache, Context, Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Agent, createServer, get } from "node:http"
import type { AddressInfo } from "node:net"
import { elapsed, jitter } from "../../support/life.ts"

const capacity = 400

interface Nutrition {
  readonly recipe: number
  readonly table: ReadonlyArray<{ readonly name: string; readonly milligrams: number }>
}

class Recipes extends Context.Service<Recipes, {
  readonly nutrition: (recipe: number) => Effect.Effect<Nutrition>
}>()("kitchen/Recipes") {
  static readonly layer = Layer.effect(
    Recipes,
    Effect.gen(function*() {
      const analyse = Effect.fn("Recipes.analyse")(function*(recipe: number) {
        yield* Effect.sleep("4 millis")
        const table = Array.from(
          { length: 60 },
          (_, n) => ({ name: `vitamin ${n} of ${recipe}`, milligrams: n * recipe })
        )
        return { recipe, table }
      })
      const cache = yield* Cache.make({ lookup: analyse, capacity })
      return {
        nutrition: (recipe) => Cache.get(cache, recipe)
      }
    })
  )
}

const showRecipe = Effect.fn("showRecipe")(function*() {
  const { nutrition } = yield* Recipes
  const { recipe = "" } = yield* HttpRouter.params
  return HttpServerResponse.jsonUnsafe(yield* nutrition(Number(recipe)))
})

const server = createServer()
const app = HttpRouter.serve(HttpRouter.add("GET", "/recipes/:recipe", showRecipe), {
  disableLogger: true,
  disableListenLog: true
}).pipe(
  Layer.provide(Recipes.layer),
  Layer.provide(NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0 }))
)

const agent = new Agent({ keepAlive: true, maxSockets: 4 })
let newest = 0

const reader = () => {
  const discovered = Math.floor(elapsed() / 0.45 * capacity)
  const recipe = newest < discovered ? ++newest : Math.ceil(Math.random() * newest)
  const { port } = server.address() as AddressInfo
  get({ agent, host: "127.0.0.1", port, path: `/recipes/${recipe}` }, (response) => response.resume())
  setTimeout(reader, jitter(16))
}

server.on("listening", reader)
Effect.runFork(Layer.launch(app))
