/** Simulated recordings: the messages of an agent in a program whose fibers are known from birth to death. */
import type { Message, Place, Samples, Tick } from "../../src/agent/Protocol.ts"
import * as Observation from "../../src/observation/Observation.ts"

/** Times in milliseconds. A survivor dies at Infinity. */
export type Life = readonly [born: number, died: number]

/** The first messages of every agent: `hello`, and the copy of effect that was found. */
export const opening = (
  options?: { readonly samplingBytes?: number; readonly pid?: number }
): ReadonlyArray<Message> => [
  {
    type: "hello",
    version: 1,
    pid: options?.pid ?? 42,
    ppid: 1,
    thread: 0,
    argv: ["node", "app.mjs"],
    cwd: "/app",
    node: "v24.0.0",
    epoch: 0,
    intervalMs: 1000,
    samplingBytes: options?.samplingBytes ?? 32_768
  },
  { type: "copy", t: 0, where: "file:///app/node_modules/effect/dist/internal/effect.js", effect: "4.1.0" }
]

/** A tick of an idle program, some fields of which are replaced. */
export const tick = (t: number, different?: Partial<Tick>): Tick => ({
  type: "tick",
  t,
  fibers: { started: 1, ended: 1, abandoned: 0, live: 0, tenured: 0 },
  flow: [],
  live: [],
  memory: { heapUsed: 2e7, heapLimit: 4e9, rss: 1e8, external: 1e6, arrayBuffers: 1e5 },
  floors: [],
  loop: { p50: 0, p99: 1, max: 2, utilization: 0.1 },
  gc: { pauseMs: 0, count: 0 },
  resources: {},
  own: { ms: 1, bytes: 1000 },
  ...different
})

export const place = (name: string, file?: string, line?: number): Place => ({ name, file, line, column: line && 3 })

/** The observation of a program that ran for some seconds, with the fibers of these sites. */
export const observe = (
  seconds: number,
  sites: Readonly<Record<string, ReadonlyArray<Life>>>,
  options?: {
    /** How the fibers end: with an exit, or by being collected. */
    readonly end?: "ended" | "abandoned"
    /** Further messages, merged with the ticks in order of time. */
    readonly more?: ReadonlyArray<Message & { readonly t: number }>
    readonly tick?: (t: number) => Partial<Tick>
  }
): Observation.Observation => {
  const observation = Observation.make()
  opening().forEach(observation.take)
  const names = Object.keys(sites)
  names.forEach((name, i) => {
    observation.take({ type: "site", id: i + 2, fork: place(name, `/app/src/${name}.ts`, 7), chain: [] })
  })
  const flows = flowsOf(names.map((name) => sites[name]!), options?.end)
  const rest = [...options?.more ?? []]
  for (let second = 1; second <= seconds; second++) {
    const t = second * 1000
    while (rest[0] !== undefined && rest[0].t <= t) observation.take(rest.shift()!)
    observation.take(tick(t, { flow: flows.get(t) ?? [], ...options?.tick?.(t) }))
  }
  return observation
}

/** A fiber is tenured at the first tick at which it is older than 1 s. Fibers that ended before are never mentioned. */
const flowsOf = (
  sites: ReadonlyArray<ReadonlyArray<Life>>,
  end?: "ended" | "abandoned"
): ReadonlyMap<number, Tick["flow"]> => {
  const flows = new Map<number, Map<string, [number, number, number, number, number]>>()
  const count = (t: number, site: number, born: number, column: 2 | 3 | 4): void => {
    const flow = flows.get(t) ?? new Map<string, [number, number, number, number, number]>()
    flows.set(t, flow)
    const key = `${site} ${born}`
    const counts = flow.get(key) ?? [site, born, 0, 0, 0]
    flow.set(key, counts)
    counts[column]++
  }
  sites.forEach((lives, i) => {
    for (const [born, died] of lives) {
      const tenured = 1000 * Math.ceil((born + 1000) / 1000)
      if (died <= tenured) continue
      count(tenured, i + 2, Math.floor(born / 1000), 2)
      if (died < Infinity) {
        count(1000 * Math.ceil(died / 1000), i + 2, Math.floor(born / 1000), end === "abandoned" ? 4 : 3)
      }
    }
  })
  return new Map([...flows].map(([t, flow]) => [t, [...flow.values()]]))
}

/** The readings of allocation samples, every two seconds, of objects allocated under these stacks. */
export const readings = (
  seconds: number,
  stacks: ReadonlyArray<
    { readonly frames: ReadonlyArray<Place>; readonly lives: ReadonlyArray<Life>; readonly bytes?: number }
  >
): ReadonlyArray<Message & { readonly t: number }> => {
  const out: Array<Message & { readonly t: number }> = []
  stacks.forEach(({ frames }, id) => out.push({ type: "stack", id, frames, t: 0 } as Message & { readonly t: number }))
  const births = stacks.flatMap(({ lives }, id) => lives.map(([from], i) => [from, id, i] as const))
    .sort((a, b) => a[0] - b[0])
  const ordinals = new Map(births.map(([, id, i], order) => [`${id} ${i}`, order + 1]))
  for (let t = 2000; t <= seconds * 1000; t += 2000) {
    const born: Array<Samples["born"][number]> = []
    const died: Array<number> = []
    stacks.forEach(({ bytes, lives }, id) =>
      lives.forEach(([from, to], i) => {
        const ordinal = ordinals.get(`${id} ${i}`)!
        if (from > t - 2000 && from <= t && to > t) born.push([ordinal, id, bytes ?? 32_768])
        if (from <= t - 2000 && to > t - 2000 && to <= t) died.push(ordinal)
      })
    )
    out.push({ type: "samples", t, born, died, pauseMs: 5 })
  }
  return out
}

/** The messages of an agent in a program that forks fibers at one place, at a fixed rate, which never end. */
export const observed = (
  seconds: number,
  fork: Place,
  options: { readonly cwd: string; readonly pid: number; readonly each: number }
): ReadonlyArray<Message> => [
  ...opening({ pid: options.pid }).map((message) =>
    message.type === "hello" ? { ...message, cwd: options.cwd } : message
  ),
  { type: "site", id: 2, fork, chain: [] },
  ...Array.from({ length: seconds }, (_, i) => tick((i + 1) * 1000, { flow: [[2, i, options.each, 0, 0]] }))
]
