import { assert, describe, it } from "@effect/vitest"
import type { Place } from "../../src/agent/Protocol.ts"
import type { LeakRule } from "../../src/LeakRule.ts"
import * as AllocationSites from "../../src/observation/AllocationSites.ts"
import { OffHeapGrowth } from "../../src/rules/OffHeapGrowth.ts"
import { ResourceGrowth } from "../../src/rules/ResourceGrowth.ts"
import { SurvivorGrowth } from "../../src/rules/SurvivorGrowth.ts"
import { random, seeds } from "../support/random.ts"
import type { Life } from "../support/simulate.ts"
import { observe, place, readings, tick } from "../support/simulate.ts"

const store = place("store", "file:///app/src/store.ts", 3)
const handler = place("handler", "file:///app/src/server.ts", 20)
const serve = place("serve", "file:///app/src/server.ts", 5)
const set = place("set", "file:///app/node_modules/lib/dist/Map.js", 100)
const update = place("update", "file:///app/node_modules/lib/dist/Metric.js", 7)
const runLoop = place("runLoop", "file:///app/node_modules/effect/dist/internal/effect.js", 500)
const native = place("Map.set", "", 0)
const internal = place("emit", "node:events", 500)

/** The allocation sites for these objects, each allocated under the stack with its number. */
const taken = (
  stacks: ReadonlyArray<ReadonlyArray<Place>>,
  readings: ReadonlyArray<
    { readonly born?: ReadonlyArray<readonly [ordinal: number, stack: number]>; readonly died?: ReadonlyArray<number> }
  >
): AllocationSites.AllocationSites => {
  const sites = AllocationSites.make()
  stacks.forEach((frames, id) => sites.stack({ type: "stack", id, frames }))
  readings.forEach(({ born = [], died = [] }, i) =>
    sites.take({
      type: "samples",
      t: (i + 1) * 2000,
      born: born.map(([ordinal, stack]) => [ordinal, stack, 1000 * (stack + 1)] as const),
      died,
      pauseMs: 1
    })
  )
  return sites
}

const counts = (sites: AllocationSites.AllocationSites) =>
  Object.fromEntries([...sites.sites.values()].map(({ bytes, frames, lives, scope }) => [
    scope === "whole" ? "whole" : frames.map(({ name }) => name).join(" < "),
    [scope, lives.living(), bytes]
  ]))

const siteOf = (sites: AllocationSites.AllocationSites, name: string): AllocationSites.AllocationSite =>
  [...sites.sites.values()].find(({ frames }) => frames[0]?.name === name)!

describe("AllocationSites", () => {
  it("counts an object once for every program frame on its stack, and once for the whole program", () => {
    const sites = taken([[native, set, store, handler, handler, runLoop, serve, internal]], [{
      born: [[1, 0], [2, 0]]
    }])
    assert.deepStrictEqual(counts(sites), {
      store: ["program", 2, 2000],
      handler: ["program", 2, 2000],
      serve: ["program", 2, 2000],
      whole: ["whole", 2, 2000]
    })
    assert.deepStrictEqual(["store", "handler", "serve"].map((name) => siteOf(sites, name).depth), [0, 1, 2])
  })

  it("counts an object without a program frame for the two innermost frames of the library", () => {
    const sites = taken([[native, set, update, runLoop, internal], [runLoop], [internal]], [
      { born: [[1, 0], [2, 1], [3, 2]] }
    ])
    assert.deepStrictEqual(counts(sites), {
      "set < update": ["library", 1, 1000],
      "runLoop": ["library", 1, 2000],
      whole: ["whole", 3, 6000]
    })
  })

  it("records the death of an object at every site that counted it", () => {
    const sites = taken([[store, serve], [handler, serve]], [
      { born: [[1, 0], [2, 0], [3, 1]] },
      { died: [2], born: [[4, 1]] },
      { died: [3, 4, 99] }
    ])
    assert.deepStrictEqual(counts(sites), {
      store: ["program", 1, 1000],
      handler: ["program", 0, 0],
      serve: ["program", 1, 1000],
      whole: ["whole", 1, 1000]
    })
    assert.deepStrictEqual([...siteOf(sites, "store").lives.all()].map(({ count, died }) => [count, died < Infinity]), [
      [1, true],
      [1, false]
    ])
    assert.deepStrictEqual(sites.readings, [2000, 4000, 6000])
  })

  it("ignores objects with an unknown stack", () => {
    assert.deepStrictEqual(counts(taken([[store]], [{ born: [[1, 7]] }])), {})
  })

  it("derives the birth time of an object between two readings from its ordinal", () => {
    const sites = taken([[store]], [{ born: [[100, 0]] }, { born: [[101, 0], [151, 0], [200, 0]] }])
    const born = [...siteOf(sites, "store").lives.all()].map(({ born, count }) => [born, count])
    assert.deepStrictEqual(born, [[1875, 1], [2125, 1], [3125, 1], [3875, 1]], "to a quarter of a second")
  })

  it("switches to the samples of a new interval when there are enough of them", () => {
    const sites = taken([[store], [handler]], [{ born: [[1, 0]] }, {}, {}, {}, {}, {}, {}, {}, {}, {}])
    sites.sampling({ t: 20_000, bytes: 4096 })
    const take = (t: number, born: ReadonlyArray<readonly [number, number, number]>) =>
      sites.take({ type: "samples", t, born, died: [], pauseMs: 1 })
    take(22_000, [[1, 1, 4096]]) // ordinals start again
    assert.isTrue(sites.outdated)
    assert.deepStrictEqual(Object.keys(counts(sites)), ["store", "whole"])
    take(34_000, [])
    assert.isFalse(sites.outdated)
    assert.deepStrictEqual([sites.since, sites.interval, sites.readings], [20_000, 4096, [22_000, 34_000]])
    assert.deepStrictEqual(counts(sites), { handler: ["program", 1, 4096], whole: ["whole", 1, 4096] })
  })

  it("uses the samples of a new interval at once when there were none before", () => {
    const sites = taken([[store]], [{ born: [[1, 0]] }])
    sites.sampling({ t: 2500, bytes: 4096 })
    assert.isTrue(sites.outdated)
    sites.take({ type: "samples", t: 5000, born: [[1, 0, 4096]], died: [], pauseMs: 1 })
    assert.isFalse(sites.outdated)
  })

  it("gives the most frequent stack of the young survivors of a site", () => {
    const sites = taken([[store, handler], [store, serve]], [
      { born: [[1, 0], [2, 0], [3, 0]] },
      { born: [[4, 1], [5, 1], [6, 0]] },
      { died: [6] }
    ])
    const chain = (since: number) => sites.chain(siteOf(sites, "store"), since).map(({ name }) => name)
    assert.deepStrictEqual(chain(0), ["store", "handler"])
    assert.deepStrictEqual(chain(2000), ["store", "serve"])
    assert.deepStrictEqual(chain(9000), ["store"], "nobody is left, so the site itself")
  })

  it("finds the program's function that was inlined into a library's function", () => {
    const sites = taken([
      [set, update, runLoop],
      [set, update, store, serve, runLoop],
      [set, update, handler, runLoop],
      [set, runLoop, serve]
    ], [{ born: [[1, 0], [2, 1], [3, 1], [4, 2], [5, 3], [6, 3], [7, 3]] }])
    const site = [...sites.sites.values()].find(({ scope }) => scope === "library")!
    assert.deepStrictEqual(sites.callersOf(site).map(({ name }) => name), ["store", "serve"])
  })
})

describe("OffHeapGrowth and ResourceGrowth", () => {
  const buffers = (frames: ReadonlyArray<Place>) =>
    observe(30, {}, {
      more: readings(30, [
        { frames, lives: Array.from({ length: 60 }, (_, i): Life => [i * 500, Infinity]), bytes: 100 },
        { frames: [serve], lives: Array.from({ length: 90 }, (_, i): Life => [i * 333, Infinity]), bytes: 100 }
      ]),
      tick: (t) => ({
        resources: { TCPSocketWrap: t / 200 },
        // Dead handles are released from time to time.
        memory: { ...tick(t).memory, external: 1e6 + 1000 * t + (t % 3000) * 1000 },
        floors: t % 2000 === 0 ? [{ t, bytes: 2e7, forced: true, external: 1e6 }] : []
      })
    })
  const blamed = (rule: LeakRule, frames: ReadonlyArray<Place>) => {
    const judged = rule.check(buffers(frames))
    assert(judged._tag === "Warn")
    return judged.findings.map(({ site }) => site.name).join()
  }

  it("name the code that allocates node's handles, even if other things grow", () => {
    const buffer = place("allocate", "node:buffer", 400)
    const socket = place("Socket", "node:net", 300)
    assert.strictEqual(blamed(OffHeapGrowth, [buffer, store, handler]), "store")
    assert.strictEqual(blamed(ResourceGrowth, [socket, handler]), "handler")
  })

  const offHeap = (external: (t: number) => number) =>
    OffHeapGrowth.check(observe(30, {}, {
      tick: (t) => ({
        memory: { ...tick(t).memory, external: external(t) },
        floors: t % 3000 === 0 ? [{ t, bytes: 2e7, forced: true, external: 1e6 }] : []
      })
    }))._tag

  it("count the lowest value between two collections as retained", () => {
    const sawtooth = (t: number, every: number) => (t % every) * 500
    assert.strictEqual(offHeap((t) => 1e7 + 200 * t + sawtooth(t, 3000)), "Warn")
    assert.strictEqual(offHeap((t) => 1e7 + sawtooth(t, 3000)), "Ok")
    assert.strictEqual(offHeap((t) => 1e7 + sawtooth(t, 7000)), "Ok", "what is kept for longer than a collection")
    assert.strictEqual(offHeap((t) => 1e7 + 5e6 * (1 - Math.exp(-t / 8000))), "Ok", "a pool that fills")
  })

  it("count memory that node reports as array buffers only, such as a Blob, as off-heap memory too", () => {
    const judge = (arrayBuffers: (t: number) => number) =>
      OffHeapGrowth.check(observe(30, {}, {
        tick: (t) => ({
          memory: { ...tick(t).memory, external: 9e6, arrayBuffers: arrayBuffers(t) },
          floors: t % 3000 === 0 ? [{ t, bytes: 2e7, forced: true, external: 9e6 }] : []
        })
      }))._tag
    assert.deepStrictEqual([judge((t) => 200 * t), judge(() => 1e6)], ["Warn", "Ok"])
  })

  it("report no leak for a sum that fluctuates at random", () => {
    for (const seed of seeds(300)) {
      const chance = random(seed)
      const sums = [1e7]
      while (sums.length <= 31) sums.push(sums.at(-1)! + 1e6 * chance.normal())
      assert.notStrictEqual(offHeap((t) => sums[Math.floor(t / 1000)]!), "Warn", `seed ${seed}`)
    }
  })

  it("fall back to the site that grows most, or to the kind of the resource", () => {
    assert.strictEqual(blamed(OffHeapGrowth, [store]), "serve")
    assert.strictEqual(blamed(ResourceGrowth, [store]), "TCPSocketWrap")
  })
})

describe("SurvivorGrowth", () => {
  const leak = (perSecond: number, from = 0): ReadonlyArray<Life> =>
    Array.from({ length: 30 * perSecond }, (_, i): Life => [from + i * 1000 / perSecond, Infinity])
  const traffic = (seed: number): ReadonlyArray<Life> => {
    const chance = random(seed)
    return Array.from({ length: 900 }, (_, i): Life => [i * 33, i * 33 + chance.exponential(700)])
  }
  const judge = (...stacks: Parameters<typeof readings>[1]) =>
    SurvivorGrowth.check(observe(30, {}, { more: readings(30, stacks) }))
  const blamed = (...stacks: Parameters<typeof readings>[1]): string => {
    const judged = judge(...stacks)
    return judged._tag === "Warn" ? judged.findings.map(({ site }) => site.name).join() : judged._tag
  }

  it("reports the innermost function that explains most of the growth", () => {
    assert.strictEqual(blamed({ frames: [native, store, handler, serve], lives: leak(4) }), "store")
  })

  it("reports the caller when the growth comes from several functions below it", () => {
    assert.strictEqual(
      blamed({ frames: [store, handler, serve], lives: leak(3) }, { frames: [set, handler, serve], lives: leak(3) }),
      "handler"
    )
  })

  it("reports other growing sites as well", () => {
    const judged = judge({ frames: [store, serve], lives: leak(6) }, {
      frames: [place("audit", "file:///app/src/audit.ts", 5)],
      lives: leak(4)
    })
    assert.strictEqual(judged._tag, "Warn")
    if (judged._tag !== "Warn") return
    assert.deepStrictEqual(judged.findings.map(({ site }) => site.name), ["store"])
    const also = judged.findings[0]!.evidence.filter(({ label }) => label === "also").map(({ text }) => text)
    assert.strictEqual(also.length, 1)
    assert.match(also[0]!, /^memory allocated in audit \(.*audit\.ts:5:3\) grows by \d+ KB\/s/)
  })

  it("reports the caller of a constructor, and the constructor itself only if no caller is known", () => {
    const session = place("new Session", "file:///app/src/session.ts", 3)
    assert.strictEqual(blamed({ frames: [session, handler, serve], lives: leak(4) }), "handler")
    assert.strictEqual(blamed({ frames: [session], lives: leak(4) }), "new Session")
  })

  it("goes further in while one function explains most of the growth, and stays on the stacks of the widest site", () => {
    assert.strictEqual(
      blamed({ frames: [store, handler, serve], lives: leak(6) }, { frames: [set, handler, serve], lives: leak(4) }),
      "store"
    )
    const below = [1, 2, 3].map((line) => ({
      frames: [place("read", "file:///app/src/files.ts", line), serve],
      lives: leak(2)
    }))
    assert.strictEqual(blamed(...below, { frames: [store], lives: leak(5) }), "serve")
  })

  it("ignores growth that is smaller than the memory that node and V8 keep themselves", () => {
    const small = (bytes: number) => blamed({ frames: [store, handler], lives: leak(4), bytes })
    assert.deepStrictEqual([1024, 32_768].map(small), ["Ok", "store"])
  })

  it("reports no leak from samples that ended before the run, unless the heap has grown since", () => {
    const judge = (floor: number, seconds = 40) => {
      const more: ReadonlyArray<Parameters<typeof observation.take>[0] & { readonly t: number }> = [
        ...readings(30, [{ frames: [store, handler], lives: leak(4) }]),
        { type: "sampling", t: 30_500, bytes: 65_536 }
      ]
      const observation = observe(seconds, {}, {
        more,
        tick: (t) => ({ floors: [{ t, bytes: t < 31_000 ? 2e7 + 131 * t : floor, forced: true }] })
      })
      return SurvivorGrowth.check(observation)._tag
    }
    assert.strictEqual(judge(1e7), "Recheck")
    assert.strictEqual(judge(3e7), "Warn")
    assert.strictEqual(judge(1e7, 33), "Warn", "nothing that was born since is old")
  })

  it("reports no leak when the heap does not grow too: earlier objects may be released instead", () => {
    const judge = (bytesPerSecond: number, floors = 1) => {
      const observation = observe(30, {}, {
        more: readings(30, [{ frames: [store, handler], lives: leak(4) }]),
        tick: (t) => ({
          // V8 drops code once, which does not end a leak.
          floors: t % (2000 * floors) === 0
            ? [{ t, bytes: 2e7 + bytesPerSecond * t / 1000 + (t < 20_000 ? 4e6 : 0), forced: true }]
            : []
        })
      })
      return SurvivorGrowth.check(observation)._tag
    }
    // Half of the blamed growth, and the memory that V8 and node keep while a program warms up.
    assert.deepStrictEqual([0, 30_000, 67_000, 100_000, 131_072].map((rate) => judge(rate)), [
      "Recheck",
      "Recheck",
      "Recheck",
      "Warn",
      "Warn"
    ])
    assert.strictEqual(judge(0, 4), "Warn", "too few to tell")
  })

  it("requires more growth in a longer run, because the memory of V8 and node adds up by chance", () => {
    const judge = (perSecond: number) => {
      const lives = Array.from({ length: 120 * perSecond }, (_, i): Life => [i * 1000 / perSecond, Infinity])
      return SurvivorGrowth.check(observe(120, {}, {
        more: readings(120, [{ frames: [store, handler], lives, bytes: 2048 }]),
        tick: (t) => ({
          floors: t % 2000 === 0 ? [{ t, bytes: 2e7 + 2048 * perSecond * t / 1000, forced: true }] : []
        })
      }))._tag
    }
    // The growth is 100 KB, 150 KB and 300 KB in the late half of 50 s.
    assert.deepStrictEqual([judge(1), judge(1.5), judge(3)], ["Ok", "Recheck", "Warn"])
  })

  it("requires the heap to confirm samples that began later than the run", () => {
    // From 4 s on samples are coarser. Earlier objects are no longer among them, and may be the ones that are released.
    const late = readings(30, [{ frames: [store, handler], lives: leak(8, 4000) }]).filter(({ t }) =>
      t === 0 || t > 4000
    )
    const judge = (samples: typeof late, bytesPerSecond: number, every = 2000) =>
      SurvivorGrowth.check(observe(30, {}, {
        more: samples,
        tick: (t) => ({
          // The heap swings so widely that it is not contradicting evidence either.
          floors: t % every === 0
            ? [{ t, bytes: 2e7 + bytesPerSecond * t / 1000 + 4e6 * Math.abs(Math.sin(t)), forced: true }]
            : []
        })
      }))._tag
    const began = [...late.slice(0, 1), { type: "sampling", t: 4000, bytes: 32_768 } as const, ...late.slice(1)]
    assert.deepStrictEqual([judge(began, 0), judge(began, 300_000), judge(began, 300_000, 6000)], [
      "Recheck",
      "Warn",
      "Recheck"
    ])
    assert.strictEqual(judge(late, 0), "Warn", "samples from the start see for themselves what goes")
  })

  it("reports no leak for a function that V8 recompiles in the middle of a run", () => {
    const fifo = (from: number, to: number): ReadonlyArray<Life> =>
      Array.from({ length: (to - from) / 100 }, (_, i): Life => [from + i * 100, from + i * 100 + 14_000])
    const [before, after] = [fifo(0, 17_000), fifo(17_000, 30_000)]
    assert.strictEqual(blamed({ frames: [set, update, runLoop], lives: [...before, ...after] }), "Ok")
    const judged = judge({ frames: [store, handler], lives: before }, { frames: [set, update, runLoop], lives: after })
    assert(judged._tag === "Recheck")
    assert.match(judged.suspicions[0]!.why, /another call site lost as much memory/)
  })

  it("reports a queue that releases in chunks when the heap floor rises with it, but not in a short run", () => {
    const judge = (seconds: number, floorPerSecond: number) => {
      // Forty objects arrive per second. From time to time some of the oldest leave, in varying numbers.
      const births = Array.from({ length: 40 * seconds }, (_, i) => i * 25)
      let gone = 0
      const deaths = births.map(() => Infinity)
      for (let t = 9000, n = 0; t < seconds * 1000; t += 9000, n++) {
        for (let many = n % 2 === 0 ? 330 : 90; many > 0; many--) deaths[gone++] = t
      }
      const lives = births.map((born, i): Life => [born, deaths[i]!])
      const observation = observe(seconds, {}, {
        more: readings(seconds, [{ frames: [store, handler], lives, bytes: 16_384 }]),
        tick: (t) => ({ floors: [{ t, bytes: 2e7 + floorPerSecond * t / 1000, forced: true }] })
      })
      const judged = SurvivorGrowth.check(observation)
      return judged._tag === "Warn" ? judged.findings[0]!.site.name : judged._tag
    }
    const net = (40 - 210 / 9) * 16_384
    assert.strictEqual(judge(66, net), "store")
    assert.deepStrictEqual([judge(66, 0), judge(66, net / 4)], ["Recheck", "Recheck"])
    assert.notStrictEqual(judge(40, net), "store")
  })

  it("distinguishes a leak from long work that ends, by the objects that are twice as old", () => {
    const chance = random(1)
    const work = Array.from({ length: 600 }, (_, i): Life => [i * 50, i * 50 + chance.exponential(3000)])
    assert.strictEqual(blamed({ frames: [store, handler], lives: work }), "Ok")
    const judged = judge({ frames: [store, handler], lives: [...leak(5), ...work] })
    assert(judged._tag === "Warn")
    assert.match(judged.findings[0]!.evidence[0]!.text, /sampled objects reached an age of 10 s/)
  })

  it("finds a leak beside a full container that the same function fills", () => {
    const full = Array.from({ length: 600 }, (_, i): Life => [i * 50, i * 50 + 8000])
    assert.strictEqual(blamed({ frames: [store, handler], lives: full }), "Ok")
    assert.strictEqual(blamed({ frames: [store, handler], lives: [...leak(5), ...full] }), "store")
  })

  it("reports no leak for a site that releases many old objects and raises the heap floor more and more slowly", () => {
    const judge = (tau: number) => {
      let free = 0
      // Twenty objects arrive per second, and twelve leave.
      const lives = Array.from({ length: 1200 }, (_, i): Life => {
        free = Math.max(free, i * 50) + 1000 / 12
        return [i * 50, free]
      })
      return SurvivorGrowth.check(observe(60, {}, {
        more: readings(60, [{ frames: [store, handler], lives }]),
        tick: (t) => ({ floors: [{ t, bytes: 2e7 + 260 * tau * (1 - Math.exp(-t / tau)), forced: true }] })
      }))
    }
    const settles = judge(30_000)
    assert(settles._tag === "Recheck")
    assert.match(settles.suspicions[0]!.why, /the heap grows more slowly/)
    assert.strictEqual(judge(600_000)._tag, "Warn")
  })

  it("reports a queue in a short run when the waiting times increase, and gives the times", () => {
    let free = 0
    // Twenty objects arrive per second, and twelve leave.
    const lives = Array.from({ length: 600 }, (_, i): Life => {
      free = Math.max(free, i * 50) + 1000 / 12
      return [i * 50, Math.ceil(free / 3000) * 3000]
    })
    const judged = SurvivorGrowth.check(observe(30, {}, { more: readings(30, [{ frames: [store, handler], lives }]) }))
    assert(judged._tag === "Warn")
    const [finding] = judged.findings
    assert.strictEqual(finding!.site.name, "store")
    assert.include(
      finding!.evidence.map(({ text }) => text).join(),
      "time in the queue grew from 3 s to 12 s"
    )
    assert.include(finding!.fix, "Queue.bounded")
  })

  it("reports the site with most of the growth when another has a tenth of it", () => {
    assert.strictEqual(
      blamed({ frames: [store, serve], lives: leak(9) }, { frames: [handler, serve], lives: leak(1) }),
      "store"
    )
  })

  it("reports the caller of a library if V8 inlined it during the run, else the library", () => {
    const inlined = { frames: [set, update, runLoop], lives: leak(4) }
    assert.strictEqual(
      blamed(inlined, { frames: [set, update, handler, runLoop], lives: [[500, 2500]] }),
      "handler"
    )
    assert.strictEqual(blamed(inlined), "set")
    // The first fibers of a program run under the code of its module.
    const module = { ...place("", "file:///app/src/main.ts", 1), column: 1 }
    assert.strictEqual(blamed(inlined, { frames: [set, update, runLoop, module], lives: [[500, 2500]] }), "set")
  })

  it("names allocations of a library under its own loop by the program's site that grows with them", () => {
    const judged = judge({ frames: [set, update, runLoop], lives: leak(9) }, {
      frames: [handler, serve],
      lives: leak(1),
      bytes: 100 // far too little for a finding of its own
    })
    assert(judged._tag === "Warn")
    const [finding] = judged.findings
    assert.strictEqual(finding!.site.name, "handler")
    assert.match(
      finding!.summary,
      /^memory allocated in set of lib, together with handler \(.*\), is not released/
    )
  })

  it("reports finalizers that pile up in a scope", () => {
    const add = place("scopeAddFinalizerUnsafe", "file:///app/node_modules/effect/dist/internal/effect.js", 9)
    const finding = (...more: ReadonlyArray<Parameters<typeof readings>[1][number]>) => {
      const judged = judge({ frames: [store, handler], lives: leak(9) }, ...more)
      return judged._tag === "Warn" ? judged.findings[0]! : undefined
    }
    const pile = finding({ frames: [set, add, runLoop], lives: leak(2), bytes: 100 })
    assert.strictEqual(pile!.site.name, "store")
    assert.include(pile!.evidence.map(({ label }) => label), "finalizers")
    assert.match(pile!.fix, /scope of its own/)
    assert.notInclude(finding()!.evidence.map(({ label }) => label), "finalizers")
  })

  it("reports no leak for objects that are released after a while, in 50 runs", () => {
    for (const seed of seeds(50)) {
      assert.strictEqual(blamed({ frames: [store, handler], lives: traffic(seed) }), "Ok", `seed ${seed}`)
    }
  })

  it("reports the retained memory and its growth", () => {
    const judged = judge({ frames: [store, handler], lives: leak(4), bytes: 65_536 }, {
      frames: [serve],
      lives: traffic(0)
    })
    assert(judged._tag === "Warn")
    const [finding] = judged.findings
    assert.strictEqual(finding!.bytes, finding!.count * 65_536)
    assert.closeTo(finding!.growth.perSecond, 4 * 65_536, 0.2 * 4 * 65_536)
    assert.match(
      finding!.summary,
      /^memory allocated in store \(src\/store\.ts:3:3\) is not released: it grows by \d+ KB\/s$/
    )
  })
})
