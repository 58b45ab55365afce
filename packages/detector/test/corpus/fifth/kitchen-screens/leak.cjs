// Screens in the kitchens of a restaurant show the orders of the last minutes. They listen to a diagnostics channel.
// Wrong: when a screen reloads it subscribes again, and its old subscription is forgotten.
const { Effect } = require("effect")
const { channel } = require("node:diagnostics_channel")
const { jitter } = require("../../support/life.ts")

const ordered = channel("restaurant:ordered")

const makeOrder = (number) => ({
  number,
  dishes: Array.from({ length: 6 }, (_, n) => `dish ${n} for order ${number}`)
})

class Screen {
  constructor(kitchen) {
    this.kitchen = kitchen
    this.columns = Array.from({ length: 300 }, (_, n) => ({ slot: n, minutes: n * 1.5, order: undefined }))
    this.show = this.show.bind(this)
  }

  show(order) {
    if (order.number % 5 === this.kitchen) this.columns[order.number % 300].order = order
  }

  turnOn() {
    ordered.subscribe(this.show)
    return this
  }

  turnOff() {
    this.kitchen = -1
  }
}

const watch = (kitchen) =>
  Effect.gen(function*() {
    const screen = new Screen(kitchen).turnOn()
    yield* Effect.sleep(jitter(900))
    screen.turnOff()
  })

for (let kitchen = 0; kitchen < 5; kitchen++) Effect.runFork(Effect.forever(watch(kitchen)))

const guests = Effect.gen(function*() {
  for (let number = 1;; number++) {
    ordered.publish(makeOrder(number))
    yield* Effect.sleep(jitter(16))
  }
})

Effect.runFork(guests)
