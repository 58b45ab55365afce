/*
 * Seventy players are connected to a game server over TCP. Twice the server drops them all, and they come back within a
 * twelfth of the run, in their own time; meanwhile they queue what they want to say.
 *
 * Why it is healthy: what belongs to a connection ends with it, and there are never more than seventy.
 */
import { Effect, Exit, FiberSet, Schedule, Scope } from "effect"
import * as net from "node:net"
import { jitter, part } from "../../support/life.ts"

interface Seat {
  readonly socket: net.Socket
  readonly scope: Scope.Closeable
  readonly board: Array<string>
}

const seats = new Set<Seat>()

const move = (seat: Seat, text: string) =>
  Effect.sync(() => {
    seat.board[Math.floor(Math.random() * seat.board.length)] = text
  }).pipe(Effect.delay("5 millis"), Effect.withSpan("move"))

const server = net.createServer((socket) => {
  const scope = Scope.makeUnsafe()
  const seat: Seat = { socket, scope, board: Array.from({ length: 150 }, (_, n) => `empty ${n}`) }
  const run = Effect.runSync(Scope.provide(FiberSet.makeRuntime(), scope))
  seats.add(seat)
  const state = Effect.sync(() => socket.destroyed || socket.write(`${seat.board.slice(0, 5).join()}\n`))
  run(Effect.repeat(state, Schedule.spaced("900 millis")))
  socket.on("data", (text) => void run(move(seat, String(text))))
  socket.on("error", () => {})
  socket.on("close", () => {
    seats.delete(seat)
    Effect.runFork(Scope.close(scope, Exit.void))
  })
})

const play = (port: number, player: number) =>
  Effect.callback<void>((resume) => {
    const socket = net.connect(port, "127.0.0.1")
    const timer = setInterval(() => socket.write(`move of ${player} at ${performance.now()}`), jitter(1000))
    socket.on("data", () => {})
    socket.on("error", () => {})
    socket.on("close", () => {
      clearInterval(timer)
      resume(Effect.void)
    })
  }).pipe(
    Effect.andThen(Effect.suspend(() => Effect.sleep(jitter(part(0.055))))),
    Effect.forever
  )

const main = Effect.gen(function*() {
  yield* Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
  const { port } = server.address() as net.AddressInfo
  for (let player = 0; player < 70; player++) {
    yield* Effect.forkDetach(play(port, player))
    yield* Effect.sleep(part(0.08) / 70)
  }
  for (const pause of [0.12, 0.18]) {
    yield* Effect.sleep(part(pause))
    for (const { socket } of seats) socket.destroy()
  }
})

Effect.runFork(main)
