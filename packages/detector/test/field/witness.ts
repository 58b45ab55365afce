/** Reads the file that the witness wrote, and puts it into words; nothing of Fiberscope is used for it. */
import { existsSync, readFileSync } from "node:fs"
import type { Truth } from "./Program.ts"

interface Look {
  readonly pid: number
  readonly thread: number
  readonly program?: string
  readonly at: number
  readonly heapUsed?: number
  readonly external?: number
  readonly rss?: number
  readonly descriptors?: number
  readonly resources?: Readonly<Record<string, number>>
  readonly classes?: Readonly<Record<string, readonly [count: number, bytes: number]>>
}

/** The counts of the thread with the largest heap among those that live long. */
export interface Account {
  readonly seconds: number
  readonly heap: ReadonlyArray<readonly [at: number, bytes: number]>
  readonly external: ReadonlyArray<readonly [at: number, bytes: number]>
  readonly descriptors: ReadonlyArray<readonly [at: number, count: number]>
  /** How many more objects of a class the second snapshot has, and how many the first. */
  readonly classes: ReadonlyMap<string, readonly [before: number, after: number]>
}

/** The account of the looks of one run. */
export const accountOf = (looks: ReadonlyArray<Look>): Account => {
  const threads = [...Map.groupBy(looks, ({ pid, thread }) => `${pid}/${thread}`).values()]
  const longest = Math.max(0, ...threads.map((thread) => thread.length))
  const heaviest = (thread: ReadonlyArray<Look>): number => Math.max(0, ...thread.map(({ heapUsed }) => heapUsed ?? 0))
  // A launcher lives as long as the program it starts, and holds less; children live for less than half of the time.
  const mine = threads.filter((thread) => thread.length >= longest / 2)
    .sort((a, b) => heaviest(b) - heaviest(a))[0] ?? []
  const series = (of: (look: Look) => number | undefined) =>
    mine.flatMap((look) => {
      const value = of(look)
      return value === undefined ? [] : [[look.at, value] as const]
    })
  const [first, last] = mine.flatMap(({ classes }) => classes === undefined ? [] : [classes])
  const names = new Set([...Object.keys(first ?? {}), ...Object.keys(last ?? {})])
  return {
    seconds: Math.max(0, ...mine.map(({ at }) => at)),
    heap: series(({ heapUsed }) => heapUsed),
    external: series(({ external }) => external),
    descriptors: series(({ descriptors }) => descriptors),
    classes: new Map(
      last === undefined
        ? []
        : [...names].map((name) => [name, [first?.[name]?.[0] ?? 0, last[name]?.[0] ?? 0]] as const)
    )
  }
}

/** The account of a file that the witness wrote; of none when the program ended before its first look. */
export const read = (file: string): Account =>
  accountOf(
    existsSync(file)
      ? readFileSync(file, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line) as Look)
      : []
  )

/** The growth between the first third and the end, in bytes a second, of a series of readings after collections. */
export const rate = (series: ReadonlyArray<readonly [at: number, value: number]>): number => {
  const late = series.slice(Math.floor(series.length / 3))
  const [first, last] = [late[0], late.at(-1)]
  return first === undefined || last === undefined || first === last ? 0 : (last[1] - first[1]) / (last[0] - first[0])
}

/** A count that contradicts the truth of the manifest, if there is one. */
export const contradicts = ({ classes }: Account, { grows, steady }: Truth): string | undefined => {
  // A program that ended before its snapshots was not counted.
  if (classes.size === 0) return undefined
  const more = (name: string): number => {
    const [before, after] = classes.get(name) ?? [0, 0]
    return after - before
  }
  if (grows !== undefined && more(grows[0]) < grows[1]) {
    return `${grows[0]} grew by ${more(grows[0])}, and at least ${grows[1]} were expected`
  }
  if (steady !== undefined && more(steady[0]) > steady[1]) {
    return `${steady[0]} grew by ${more(steady[0])}, and at most ${steady[1]} were expected`
  }
  return undefined
}

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`

/** The account in a few words: the heap, and the classes that the manifest names. */
export const brief = ({ classes, heap }: Account, { grows, steady }: Truth): string => {
  if (heap.length === 0) return "it ended before it could be counted"
  const named = [grows?.[0], steady?.[0]].flatMap((name) => {
    const counts = name === undefined ? undefined : classes.get(name)
    return name === undefined
      ? []
      : [`${name} ${counts === undefined ? "fewer than 5" : `${counts[0]} → ${counts[1]}`}`]
  })
  return [`heap ${megabytes(heap[0]![1])} → ${megabytes(heap.at(-1)![1])}`, ...named].join(", ")
}

/** The account in lines: the heap after collections, and the classes that grew the most. */
export const tell = (account: Account, truth: Truth): ReadonlyArray<string> => {
  const contradiction = contradicts(account, truth)
  const grown = [...account.classes]
    .map(([name, [before, after]]) => ({ name, before, after }))
    .filter(({ after, before }) => after - before >= 20)
    .sort((a, b) => b.after - b.before - (a.after - a.before))
    .slice(0, 8)
  const fibers = account.classes.get("FiberImpl")
  return [
    account.heap.length === 0
      ? "it ended before the first look"
      : `heap after collections ${account.heap.map(([, bytes]) => megabytes(bytes)).join(", ")}: ${
        (rate(account.heap) / 1024).toFixed(1)
      } KB/s`,
    ...account.descriptors.length === 0
      ? []
      : [`descriptors ${account.descriptors.map(([, count]) => count).join(", ")}`],
    ...fibers === undefined ? [] : [`fibers ${fibers[0]} then ${fibers[1]}`],
    ...grown.length === 0
      ? []
      : [`objects ${grown.map(({ after, before, name }) => `${name} ${before} then ${after}`).join(", ")}`],
    ...contradiction === undefined ? [] : [`CONTRADICTS the manifest: ${contradiction}`]
  ]
}
