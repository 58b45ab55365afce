/*
 * Six chat rooms. A guest sees the last 25 messages of a room, stays for a while, remembers thirty messages and says
 * something now and then.
 *
 * Healthy: there are some forty guests at a time, and rooms forget what is older than their replay.
 */
import { Effect, PubSub, Schedule } from "effect"
import { jitter, part } from "../../support/life.ts"

interface Message {
  readonly from: string
  readonly text: string
}

const stay = part(0.09)

const listen = Effect.fn("Room.listen")(function*(room: PubSub.PubSub<Message>) {
  const subscription = yield* PubSub.subscribe(room)
  const seen: Array<Message> = []
  while (true) {
    seen.push(yield* PubSub.take(subscription))
    if (seen.length > 30) seen.splice(0, seen.length - 30)
  }
})

const talk = Effect.fn("Room.talk")(function*(room: PubSub.PubSub<Message>, from: string) {
  yield* Effect.sleep(jitter(900))
  yield* PubSub.publish(room, { from, text: `${from} says ${Math.random().toString(36).repeat(4)}` })
})

const visit = Effect.fn("Room.visit")(function*(room: PubSub.PubSub<Message>, guest: string) {
  yield* Effect.forkScoped(listen(room))
  yield* Effect.repeat(talk(room, guest), Schedule.forever).pipe(Effect.timeoutOption(jitter(stay)))
}, Effect.scoped)

Effect.runFork(Effect.gen(function*() {
  const rooms = yield* Effect.all(
    Array.from({ length: 6 }, () => PubSub.sliding<Message>({ capacity: 64, replay: 25 }))
  )
  for (let guest = 0;; guest++) {
    const room = rooms[guest % 6]
    if (room) yield* Effect.forkChild(visit(room, `guest-${guest}`))
    yield* Effect.sleep(jitter(stay / 40))
  }
}))
