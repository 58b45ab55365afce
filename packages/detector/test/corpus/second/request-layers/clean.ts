/*
 * The services a request needs are put together by a LayerMap.
 *
 * What leak.ts does wrong is put right here: they are looked up by region.
 */
import { Context, Effect, Layer, LayerMap, Schedule } from "effect"
import "../../support/life.ts"

class Catalogue extends Context.Service<Catalogue, {
  readonly titles: ReadonlyArray<string>
}>()("library/Catalogue") {
  static readonly layerFor = (key: string) =>
    Layer.effect(
      Catalogue,
      Effect.sync(() => ({ titles: Array.from({ length: 25 }, (_, n) => `${key}: volume ${n}`) }))
    )
}

class Regions extends LayerMap.Service<Regions>()("library/Regions", {
  lookup: (key: string) => Catalogue.layerFor(key),
  idleTimeToLive: "10 minutes"
}) {}

const browse = Effect.fn("Library.browse")(function*(words: string) {
  const { titles } = yield* Catalogue
  yield* Effect.sleep("6 millis")
  return titles.filter((title) => title.includes(words))
})

let requests = 0

const visit = Effect.suspend(() => {
  const id = ++requests
  return browse(`volume ${id % 25}`).pipe(Effect.provide(Regions.get(`region-${id % 6}`)), Effect.forkDetach)
})

const library = visit.pipe(
  Effect.repeat(Schedule.jittered(Schedule.spaced("20 millis"))),
  Effect.provide(Regions.layer)
)

Effect.runFork(library)
