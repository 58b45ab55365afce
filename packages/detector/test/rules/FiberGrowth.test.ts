import { assert, describe, it } from "@effect/vitest"
import type { Finding } from "../../src/Finding.ts"
import type { Judgement } from "../../src/LeakRule.ts"
import { AbandonedFibers } from "../../src/rules/AbandonedFibers.ts"
import { questions } from "../../src/rules/evidence/inspections.ts"
import { FiberGrowth } from "../../src/rules/FiberGrowth.ts"
import { ResourceGrowth } from "../../src/rules/ResourceGrowth.ts"
import type { Random } from "../support/random.ts"
import { random, seeds } from "../support/random.ts"
import type { Life } from "../support/simulate.ts"
import { observe, place, readings, tick } from "../support/simulate.ts"

const poisson = ({ exponential }: Random, perSecond: number, seconds: number): ReadonlyArray<number> => {
  const out: Array<number> = []
  for (let t = exponential(1000 / perSecond); t < seconds * 1000; t += exponential(1000 / perSecond)) out.push(t)
  return out
}

const tags = (runs: number, check: (chance: Random) => Judgement): ReadonlyArray<Judgement["_tag"]> =>
  seeds(runs).map((seed) => check(random(seed))._tag)

describe("FiberGrowth", () => {
  it.each([30, 60])("never accuses jobs that take up to two thirds of a run of %d s", (seconds) => {
    const judged = tags(200, (chance) => {
      const life = chance.between(0.03, 0.55) * seconds * 1000
      const lives = poisson(chance, chance.between(0.5, 30), seconds)
        .map((born): Life => [born, born + life * chance.between(0.8, 1.2)])
      return FiberGrowth.check(observe(seconds, { job: lives }))
    })
    assert.notInclude(judged, "Warn")
    assert.isAtLeast(judged.filter((tag) => tag === "Ok").length, 190)
  })

  it("takes a few jobs that ended after most of the run for a sign that all take so long", () => {
    const lives = Array.from({ length: 60 }, (_, i): Life => [i * 500, i * 500 + 28_400])
    assert.strictEqual(lives.filter(([, died]) => died < 30_000).length, 4)
    assert.notStrictEqual(FiberGrowth.check(observe(30, { job: lives }))._tag, "Warn")
  })

  it("never accuses jobs that end at any moment alike, however long they take on average", () => {
    const judged = tags(200, (chance) => {
      const mean = chance.between(500, 30_000)
      const lives = poisson(chance, chance.between(0.5, 30), 30)
        .map((born): Life => [born, born + chance.exponential(mean)])
      return FiberGrowth.check(observe(30, { job: lives }))
    })
    assert.notInclude(judged, "Warn")
  })

  it("accuses fibers that never end, also among those that do, at the site where they are forked", () => {
    const judged = tags(50, (chance) => {
      const judgement = FiberGrowth.check(observe(30, {
        request: poisson(chance, 50, 30).map((born): Life => [born, born + chance.exponential(1500)]),
        refresh: [
          ...poisson(chance, 4, 30).map((born): Life => [born, Infinity]),
          ...poisson(chance, 10, 30).map((born): Life => [born, born + chance.exponential(800)])
        ]
      }))
      if (judgement._tag === "Warn") {
        assert.deepStrictEqual(judgement.findings.map(({ site }) => site.name), ["refresh"])
        assert.closeTo(judgement.findings[0]!.growth.perSecond, 4, 2)
      }
      return judgement
    })
    assert.notInclude(judged, "Ok")
    assert.isAtLeast(judged.filter((tag) => tag === "Warn").length, 47)
  })

  it("reports fibers that wait for a timer only where no run can be long enough to see it fire", () => {
    const lives = Array.from({ length: 150 }, (_, i): Life => [i * 200, Infinity])
    const judged = (timers: ReadonlyArray<number>, looked = timers.length) => {
      const observation = observe(30, { idle: lives }, {
        tick: (t) => ({ resources: { Timeout: Math.floor(t / 200) } })
      })
      observation.take({ type: "waiting", t: 30_000, site: 2, looked, places: [], timers })
      return [FiberGrowth.check(observation), ResourceGrowth.check(observation)]
    }
    const because = judged([60_000, 60_000]).map((judgement) =>
      judgement._tag === "Recheck" && judgement.suspicions.map(({ why }) => why).join()
    )
    assert.deepStrictEqual(because, [
      "each waits for a timer of 60 s, and the run was too short to see them end",
      "146 fibers of idle (src/idle.ts:7:3) live, and their number rises, and each waits for a timer of 60 s, and the run was too "
      + "short to see them end"
    ])
    for (const [timers, looked] of [[[1000, 1000]], [[3_600_000]], [[60_000], 2], [[]]] as const) {
      assert.deepStrictEqual(judged(timers, looked).map(({ _tag }) => _tag), ["Warn", "Warn"], `${timers} of ${looked}`)
    }
  })

  /** First come, first served, `perSecond` of them. */
  const served = (arrivals: ReadonlyArray<number>, perSecond: number): ReadonlyArray<Life> => {
    let free = 0
    return arrivals.map((born) => {
      free = Math.max(free, born) + 1000 / perSecond
      return [born, free]
    })
  }

  it.each([
    { seconds: 30, most: 0.6, found: 40 },
    { seconds: 120, most: 0.85, found: 35 }
  ])("accuses fibers in a line that gets ever longer, though all of them end: %o", ({ found, most, seconds }) => {
    const judged = tags(50, (chance) => {
      const perSecond = chance.between(10, 30)
      const arrivals = poisson(chance, perSecond, seconds)
      return FiberGrowth.check(
        observe(seconds, { order: served(arrivals, perSecond * chance.between(most - 0.2, most)) })
      )
    })
    assert.isAtLeast(judged.filter((tag) => tag === "Warn").length, found)
  })

  it("never accuses a line near the limit of who serves it", () => {
    const judged = tags(100, (chance) => {
      const perSecond = chance.between(10, 30)
      const arrivals = poisson(chance, perSecond * chance.between(0.8, 0.98), 60)
      return FiberGrowth.check(observe(60, { order: served(arrivals, perSecond) }))
    })
    assert.notInclude(judged, "Warn")
  })

  it("does not let what fills up excuse itself by starting less and less; less to do for all excuses a leak", () => {
    const born = Array.from({ length: 200 }, (_, i) => -8000 * Math.log(1 - (i + 0.5) / 205))
    const lives = born.filter((t) => t < 29_000).map((t): Life => [t, Infinity])
    const judge = (requests: number) => {
      const ended = (t: number) => Math.round(requests * (1 - Math.exp(-t / 8000)))
      return FiberGrowth.check(observe(30, { cache: lives }, {
        tick: (t) => {
          const live = born.filter((at) => at < t).length
          return { fibers: { started: ended(t) + live, ended: ended(t), abandoned: 0, live, tenured: live } }
        }
      }))
    }
    assert.deepStrictEqual([judge(0), judge(2000)].map(({ _tag }) => _tag), ["Recheck", "Warn"])
  })

  it("doubts when work takes longer than the run can show", () => {
    const lives = Array.from({ length: 300 }, (_, i): Life => [i * 100, i * 100 + 20_000])
    const judged = FiberGrowth.check(observe(30, { job: [...lives, ...lives.map(([born]): Life => [born, Infinity])] }))
    assert(judged._tag === "Recheck")
    assert.match(judged.suspicions[0]!.why, /fibers of this site take up to 21 s to end/)
  })

  it("accuses what is forked in many places, a few in each, and names it by where they wait", () => {
    const places = Array.from({ length: 40 }, (_, n) => `route${n}`)
    const lives = (n: number) => [
      ...Array.from({ length: 4 }, (_, i): Life => [400 * n + 7000 * i, Infinity]),
      ...Array.from({ length: 25 }, (_, i): Life => [1100 * i, 1100 * i + 1500])
    ]
    const observation = observe(30, Object.fromEntries(places.map((name, n) => [name, lives(n)])), {
      more: [{
        type: "waiting",
        t: 20_000,
        site: 5,
        looked: 3,
        places: [{ place: place("audited", "/app/src/audit.ts", 7), count: 3 }]
      }]
    })
    const judged = FiberGrowth.check(observation)
    assert(judged._tag === "Warn")
    assert.strictEqual(judged.findings.length, 1)
    assert.strictEqual(judged.findings[0]!.site.name, "audited")
    assert.match(
      judged.findings[0]!.summary,
      /^\d+ fibers forked in 40 places .* they wait at audited \(src\/audit\.ts:7:3\)$/
    )
    const healthy = observe(30, Object.fromEntries(places.map((name, n) => [name, lives(n).slice(4)])))
    assert.strictEqual(FiberGrowth.check(healthy)._tag, "Ok")
  })

  it("says where the fibers wait, and what they run", () => {
    const lives = Array.from({ length: 150 }, (_, i): Life => [i * 200, Infinity])
    const observation = observe(30, { handler: lives }, {
      more: [{
        type: "waiting",
        t: 20_000,
        site: 2,
        looked: 5,
        places: [{ place: { name: "", file: "file:///app/src/jobs.ts", line: 37, column: 9 }, count: 5 }]
      }]
    })
    const judged = FiberGrowth.check(observation)
    assert(judged._tag === "Warn")
    assert.match(
      judged.findings[0]!.summary,
      /forked in handler \(.*\) have not ended; they wait at src\/jobs\.ts:37:9$/
    )
    assert.deepStrictEqual(judged.findings[0]!.waits, [
      { name: "(anonymous)", file: "/app/src/jobs.ts", line: 37, column: 9 }
    ])
    assert.include(
      judged.findings[0]!.evidence.map(({ text }) => text),
      "5 of those that were inspected wait at src/jobs.ts:37:9"
    )
  })
})

describe("fibers without a name", () => {
  /** Of the fibers of site 0, which drop each other's handles, those of site 9 were forked at a line that was looked for. */
  const nameless = (end: "ended" | "abandoned") => {
    const observation = observe(30, {})
    const line = place("", "/app/src/open.ts", 12)
    observation.take({ type: "site", id: 0, chain: [] })
    observation.take({ type: "site", id: 9, of: 0, fork: line, chain: [line] })
    for (let second = 2; second <= 30; second++) {
      const gone = second > 4 ? 8 : 0
      const flow = [0, 9].map((id) =>
        [id, second - 1, 10, end === "ended" ? gone : 0, end === "abandoned" ? gone : 0] as const
      )
      observation.take(tick(second * 1000, { flow }))
    }
    return observation
  }

  it("are counted as one site, whatever is known of their lines", () => {
    const observation = nameless("abandoned")
    assert.deepStrictEqual([...observation.sites.keys()], [0])
    const { abandoned, lines } = observation.sites.get(0)!
    assert.deepStrictEqual([abandoned.born(), lines.get(9)!.abandoned.born()], [416, 208])
  })

  it("are named by the line at which most of those looked at were forked", () => {
    const judged = AbandonedFibers.check(nameless("abandoned"))
    assert(judged._tag === "Warn")
    assert.deepStrictEqual(judged.findings.map(({ count, site }) => [count, site.file, site.line]), [
      [416, "/app/src/open.ts", 12]
    ])
  })

  it("are named by what is allocated beside them when nothing else names them", () => {
    const lives = Array.from({ length: 150 }, (_, i): Life => [i * 200, Infinity])
    const observation = observe(30, { poll: lives }, {
      more: readings(30, [{ frames: [place("fetchNews", "/app/src/news.ts", 9)], lives, bytes: 100 }])
    })
    observation.take({ type: "site", id: 2, chain: [] })
    const judged = FiberGrowth.check(observation)
    assert(judged._tag === "Warn")
    const [{ site, summary }] = judged.findings as [Finding]
    assert.deepStrictEqual([site.name, site.line], ["fetchNews", 9])
    assert.match(
      summary,
      /^146 unnamed fibers have not ended; they are likely related to allocations in fetchNews \(src\/news\.ts:9:3\)/
    )
  })

  it("are looked at a few times, and not for ever when they wait in nobody's code", () => {
    const lives = Array.from({ length: 300 }, (_, i): Life => [i * 100, Infinity])
    const observation = observe(30, { drop: lives })
    const asked = () => questions(observation).filter(({ type }) => type === "inspect").length
    for (const left of [1, 1, 1, 0]) {
      assert.strictEqual(asked(), left)
      observation.take({ type: "waiting", t: 30_000, site: 2, looked: 5, places: [] })
    }
  })

  it("are looked at in three places where each has a few", () => {
    const few = Array.from({ length: 5 }, (_, i): Life => [i * 1000, Infinity])
    const places = Object.fromEntries(["a", "b", "c", "d", "e"].map((name) => [name, few]))
    assert.strictEqual(questions(observe(30, places)).filter(({ type }) => type === "inspect").length, 3)
  })

  it("make the agent look for lines until enough are known", () => {
    const asked = (known: number) => {
      const lives = Array.from({ length: 300 }, (_, i): Life => [i * 100, Infinity])
      const observation = observe(30, { drop: lives }, { end: "abandoned" })
      const site = observation.sites.get(2)!
      observation.take({ type: "site", id: 2, chain: [] })
      if (known > 0) {
        observation.take({ type: "site", id: 9, of: 2, fork: place("", "/app/src/open.ts", 12), chain: [] })
        observation.take(tick(31_000, { flow: [[9, 20, known, 0, 0]] }))
      }
      assert.isAbove(site.lives.living(), 100)
      return questions(observation).map(({ type }) => type)
    }
    assert.deepStrictEqual(asked(0), ["inspect", "lines"])
    assert.deepStrictEqual(asked(19), ["inspect", "lines"])
    assert.deepStrictEqual(asked(20), ["inspect"])
    assert.deepStrictEqual(questions(observe(30, { drop: [[0, Infinity]] })), [])
  })
})

describe("ResourceGrowth", () => {
  it("names who forks the fibers that may be piling up with the timers, where nothing else does", () => {
    // Forty at the start, which stay, and two more each second: alone they look like a cache that fills.
    const fibers = [
      ...Array.from({ length: 80 }, (_, i): Life => [500 + 20 * i, Infinity]),
      ...Array.from({ length: 60 }, (_, i): Life => [i * 500, Infinity])
    ]
    const open = (t: number) => ({ resources: { Timeout: 80 + Math.floor(t / 500) } })
    const named = (lives: ReadonlyArray<Life>) => {
      const observation = observe(30, { watch: lives }, { tick: open })
      assert.notStrictEqual(FiberGrowth.check(observation)._tag, "Warn")
      const judged = ResourceGrowth.check(observation)
      return judged._tag === "Warn" ? judged.findings[0]! : undefined
    }
    assert.strictEqual(named(fibers)!.site.name, "watch")
    assert.match(
      named(fibers)!.summary,
      /^\d+ timers are open, .* together with fibers that are forked in watch/
    )
    assert.strictEqual(named([])!.site.name, "Timeout")
  })
})

describe("ResourceGrowth, of file descriptors", () => {
  const judge = (open: (second: number) => Record<string, number>) => {
    const judged = ResourceGrowth.check(observe(30, {}, { tick: (t) => ({ resources: open(t / 1000) }) }))
    return judged._tag === "Warn" ? judged.findings.map(({ summary }) => summary) : judged._tag
  }

  it("tells of files that are not closed, and of sockets only once", () => {
    assert.deepStrictEqual(judge((s) => ({ FileDescriptor: 20 + 12 * s })), [
      "380 file descriptors are open, and the number rises"
    ])
    assert.deepStrictEqual(judge((s) => ({ FileDescriptor: 20 + 12 * s, TCPSocketWrap: 12 * s })), [
      "360 sockets are open, and the number rises"
    ])
    assert.strictEqual(judge((s) => ({ FileDescriptor: 20 + s % 7 })), "Ok")
  })
})

describe("AbandonedFibers", () => {
  it("accuses fibers that are dropped again and again, and not those that end", () => {
    for (const seed of seeds(20)) {
      const chance = random(seed)
      const lives = poisson(chance, 5, 30).map((born): Life => [born, born + 2500 + chance.exponential(3000)])
      const judged = AbandonedFibers.check(observe(30, { drop: lives }, { end: "abandoned" }))
      assert(judged._tag === "Warn", `seed ${seed}`)
      assert.strictEqual(judged.findings[0]!.site.name, "drop")
      assert.strictEqual(judged.findings[0]!.count, lives.filter(([, died]) => died <= 30_000).length)
      assert.strictEqual(AbandonedFibers.check(observe(30, { drop: lives }))._tag, "Ok")
    }
  })

  it("accuses nobody of what was dropped at the start", () => {
    const judged = tags(100, (chance) => {
      const lives = Array.from({ length: chance.integer(1, 200) }, (): Life => {
        const born = chance.between(0, 1000)
        return [born, born + chance.between(1500, 3000)]
      })
      return AbandonedFibers.check(observe(30, { drop: lives }, { end: "abandoned" }))
    })
    assert.notInclude(judged, "Warn")
  })
})
