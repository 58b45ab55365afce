/**
 * The list of all examples, each with its title and hints what to look at.
 */

export interface Entry {
  readonly name: string
  /** One line for the list. */
  readonly title: string
  readonly look: ReadonlyArray<string>
  /** The program of an example that is not a pair of a leaky and a fixed one. */
  readonly program?: string
}

/** All examples, in the recommended order. */
export const catalog: ReadonlyArray<Entry> = [
  {
    name: "background-tasks",
    title: "requests start tasks that are never stopped",
    look: [
      "live fibers: the leaky one has one more after each request; the fixed one has one per running request.",
      "The leaking site is where the fibers were forked, not where they wait: handleRequest must change."
    ]
  },
  {
    name: "uncancelled-workers",
    title: "workers outlive their sessions, and their caches only grow",
    look: [
      "live fibers: ten more after each session. heap floor: the items that the remaining workers continue to take.",
      "The fixed one processes as much, with a bounded mailbox, batches of ten, and a scope for each session."
    ]
  },
  {
    name: "rescheduling-connection",
    title: "a callback schedules itself, and keeps its connection and a buffer",
    look: [
      "live fibers: flat in both. Timers and callbacks keep the memory, not fibers, so only the heap floor shows the leak.",
      "The fixed one always has ten connections open: a full pool is not a leak and is not reported as one."
    ]
  },
  {
    name: "unfinished-generator",
    title: "a generator is not read to its end, and its finally never runs",
    look: [
      "heap floor: 80 KB more after each preview. The leaking site is the generator: its finally would release what it allocates.",
      "The fixed one reads a part in three ways: with take, with a scope that is closed by hand, and with a time limit."
    ]
  },
  {
    name: "detector-tour",
    title: "the tools in a program: live fibers, three snapshots compared, two thresholds",
    look: ["Fifty tasks are started and twenty-five interrupted: +50 and -25, by fork site, in both comparisons."],
    program: "detector-tour/tour"
  },
  {
    name: "leak-free-application",
    title: "a whole service: deadlines, tasks, resources, and an orderly shutdown",
    look: ["Press Ctrl-C, or send SIGTERM: tasks are notified, resources are released, and the process ends in time."],
    program: "leak-free-application/application"
  },
  {
    name: "global-task-list",
    title: "a list keeps all tasks that were ever started",
    look: [
      "live fibers: flat in both, because the tasks do end. The list keeps their results, so look at the heap floor.",
      "The leaking site is where the results were allocated. The list cannot be seen from outside; the fix uses a task manager."
    ]
  },
  {
    name: "listeners",
    title: "requests add listeners to an emitter, and never remove them",
    look: [
      "heap floor: 1 KB more after each request, kept by the listener that the emitter keeps.",
      "In the fixed one the listener belongs to the scope of the request."
    ]
  },
  {
    name: "unbounded-queue",
    title: "a queue without a limit, and a consumer that is too slow",
    look: [
      "heap floor: it rises while orders arrive faster than they are shipped.",
      "The fixed one has the same load: it keeps at most a thousand orders, which is a plateau, and refuses the rest."
    ]
  }
]

/** The example with this name, or the examples with similar names. */
export const find = (name: string): Entry | ReadonlyArray<Entry> => {
  const wanted = name.toLowerCase()
  const exact = catalog.find((entry) => entry.name === wanted)
  if (exact !== undefined) return exact
  const parts = catalog.filter((entry) => entry.name.includes(wanted))
  if (parts.length > 0) return parts
  const near = catalog.map((entry) => ({
    entry,
    edits: Math.min(...[entry.name, ...entry.name.split("-")].map((part) => editsBetween(wanted, part)))
  }))
  const fewest = Math.min(...near.map(({ edits }) => edits))
  return fewest > wanted.length / 2 ? [] : near.filter(({ edits }) => edits === fewest).map(({ entry }) => entry)
}

/** The Levenshtein distance: the number of letters to insert, delete or change. */
const editsBetween = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
