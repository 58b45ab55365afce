/*
 * Players are spread over shards by a hash ring. Every now and then a shard comes or goes, and the players move. New
 * players come until a quarter of the run is over; from then on, each one takes the place of the oldest.
 *
 * Healthy: 800 players and seven shards at most, and a shard that goes is emptied first.
 */
import { Effect, HashRing, PrimaryKey, Schedule } from "effect"
import { elapsed, jitter, part } from "../../support/life.ts"

interface Player {
  readonly name: string
  score: number
  items: Array<string>
}

class Shard implements PrimaryKey.PrimaryKey {
  readonly name: string
  readonly players = new Map<string, Player>()

  constructor(name: string) {
    this.name = name
  }

  [PrimaryKey.symbol]() {
    return this.name
  }
}

class Cluster {
  private readonly ring = HashRing.make<Shard>()
  private readonly shards: Array<Shard> = []
  private readonly names: Array<string> = []
  private births = 0
  private grows = true

  constructor() {
    for (let n = 0; n < 4; n++) this.addShard()
  }

  private addShard() {
    const shard = new Shard(`shard-${this.births++}`)
    this.shards.push(shard)
    HashRing.add(this.ring, shard)
  }

  rebalance() {
    if (this.shards.length >= 7) this.grows = false
    if (this.shards.length <= 4) this.grows = true
    const gone = this.grows ? undefined : this.shards.shift()
    if (gone) HashRing.remove(this.ring, gone)
    else this.addShard()
    let moved = 0
    for (const shard of gone ? [gone, ...this.shards] : this.shards) {
      for (const [name, player] of shard.players) {
        const home = HashRing.get(this.ring, name)
        if (home === undefined || home === shard) continue
        shard.players.delete(name)
        home.players.set(name, player)
        moved++
      }
    }
    return moved
  }

  join(name: string, limit: number) {
    this.names.push(name)
    const items = Array.from({ length: 8 }, (_, n) => `item ${n} of ${name}`)
    HashRing.get(this.ring, name)?.players.set(name, { name, score: 0, items })
    while (this.names.length > limit) {
      const oldest = this.names.shift()
      if (oldest) HashRing.get(this.ring, oldest)?.players.delete(oldest)
    }
  }

  play() {
    const name = this.names[Math.floor(Math.random() * this.names.length)]
    const player = name === undefined ? undefined : HashRing.get(this.ring, name)?.players.get(name)
    if (player === undefined) return
    player.score += 1
    player.items = [...player.items.slice(1), `prize ${player.score} of ${player.name}`]
  }
}

const cluster = new Cluster()

const turn = Effect.fn("Cluster.turn")(function*(n: number) {
  const limit = Math.ceil(800 * Math.min(1, elapsed() / 0.25))
  if (elapsed() < 0.25 || n % 4 === 0) { for (let k = 0; k < 2; k++) cluster.join(`player-${n}-${k}`, limit) }
  yield* Effect.sleep(jitter(6))
  cluster.play()
})

Effect.runFork(Effect.gen(function*() {
  yield* Effect.sync(() => cluster.rebalance()).pipe(Effect.repeat(Schedule.spaced(part(0.03))), Effect.forkChild)
  for (let n = 0;; n++) {
    yield* Effect.forkChild(turn(n))
    yield* Effect.sleep(jitter(13))
  }
}))
