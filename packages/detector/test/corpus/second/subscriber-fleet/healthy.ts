/*
 * 150 displays in a department store are switched on one after the other during the first 35 % of the run. Each of them
 * subscribes, and shows what is published until the shop closes.
 *
 * Why it is healthy: there are 150 displays, and they read what they get.
 */
import { Effect, PubSub, Random, Schedule } from "effect"
import { part } from "../../support/life.ts"

interface Offer {
  readonly article: string
  readonly cents: number
}

class Display {
  readonly shown: Array<Offer> = []
  readonly frame = Array.from({ length: 1500 }, (_, n) => n / 7)

  show(offer: Offer) {
    this.shown.push(offer)
    if (this.shown.length > 10) this.shown.shift()
  }
}

const switchOn = (offers: PubSub.PubSub<Offer>) =>
  Effect.scoped(Effect.gen(function*() {
    const display = new Display()
    const subscription = yield* PubSub.subscribe(offers)
    while (true) display.show(yield* PubSub.take(subscription))
  }))

const store = Effect.gen(function*() {
  const offers = yield* PubSub.unbounded<Offer>()

  const publish = Effect.gen(function*() {
    const cents = yield* Random.nextIntBetween(100, 9999)
    yield* PubSub.publish(offers, { article: `article ${cents % 80}`, cents })
  })
  yield* Effect.forkChild(Effect.repeat(publish, Schedule.spaced("100 millis")))

  for (let display = 0; display < 150; display++) {
    yield* Effect.forkChild(switchOn(offers))
    yield* Effect.sleep(part(0.35) / 150)
  }
  return yield* Effect.never
})

Effect.runFork(store)
