// people draw; twenty steps of each drawing can be undone and redone
// healthy: ten drawings are open, and when one is closed another one is opened
import { Effect } from "effect"
import { jitter, part } from "../../support/life.ts"

class Drawing {
  strokes = new Map()
  undos = []
  redos = []

  constructor(title) {
    this.title = title
  }

  apply({ id, points }) {
    const before = this.strokes.get(id)
    if (points === undefined) this.strokes.delete(id)
    else this.strokes.set(id, points)
    return { id, points: before }
  }

  edit(change) {
    this.undos.push(this.apply(change))
    if (this.undos.length > 20) this.undos.shift()
    this.redos.length = 0
  }

  undo() {
    const change = this.undos.pop()
    if (change) this.redos.push(this.apply(change))
  }

  redo() {
    const change = this.redos.pop()
    if (change) this.undos.push(this.apply(change))
  }
}

const drawings = Array.from({ length: 10 }, (_, n) => new Drawing(`drawing ${n}`))

const stroke = () =>
  Array.from({ length: 40 }, () => ({ x: Math.random() * 800, y: Math.random() * 600, pressure: Math.random() }))

const draw = Effect.fn("Drawing.draw")(function*() {
  const drawing = drawings[Math.floor(Math.random() * drawings.length)]
  const dice = Math.random()
  yield* Effect.sleep(jitter(8))
  if (dice < 0.12) return drawing.undo()
  if (dice < 0.18) return drawing.redo()
  const id = `stroke ${Math.floor(Math.random() * 15)}`
  drawing.edit({ id, points: dice < 0.3 ? undefined : stroke() })
})

const reopen = Effect.fn("Drawing.reopen")(function*() {
  for (let n = 10;; n++) {
    yield* Effect.sleep(jitter(part(0.05)))
    drawings.splice(Math.floor(Math.random() * drawings.length), 1, new Drawing(`drawing ${n}`))
  }
})

Effect.runFork(Effect.gen(function*() {
  yield* Effect.forkChild(reopen())
  while (true) {
    yield* Effect.forkChild(draw())
    yield* Effect.sleep(jitter(9))
  }
}))
