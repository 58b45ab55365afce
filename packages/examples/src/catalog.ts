/**
 * Every example, what it shows and what to look at.
 */

export interface Entry {
  readonly name: string
  /** One line for the list. */
  readonly title: string
  readonly look: ReadonlyArray<string>
  /** A program that stands for itself, in place of a leaky one and a fixed one. */
  readonly program?: string
}

/** In the order in which they are best read. */
export const catalog: ReadonlyArray<Entry> = [
  {
    name: "background-tasks",
    title: "requests start tasks that nobody stops",
    look: [
      "live fibers: the leaky one has one more for every request, the fixed one as many as there are requests at a time.",
      "The guilty site is where the fibers were forked, not where they wait: handleRequest is what must change."
    ]
  },
  {
    name: "uncancelled-workers",
    title: "sessions leave their workers behind, whose caches only grow",
    look: [
      "live fibers: ten more for every session. heap floor: the items that the leftover workers go on taking.",
      "The fixed one processes as much, through a bounded mailbox, batches of ten, and a scope for each session."
    ]
  },
  {
    name: "rescheduling-connection",
    title: "a callback schedules itself, and keeps its connection and a buffer",
    look: [
      "live fibers: flat in both. This leak has no fibers; timers and callbacks keep it, so only the heap floor shows it.",
      "The fixed one has ten connections open, for ever: a pool that is full is no leak, and is not called one."
    ]
  },
  {
    name: "unfinished-generator",
    title: "a generator is read in part, and its finally never runs",
    look: [
      "heap floor: 80 KB for every preview. The guilty site is the generator, which allocates what its finally would release.",
      "The fixed one reads a part in three ways: with take, with a scope that is closed by hand, and within a time."
    ]
  },
  {
    name: "detector-tour",
    title: "the tools by hand: live fibers, three snapshots compared, two thresholds",
    look: ["Fifty tasks are started and twenty-five interrupted: +50 and -25, by fork site, in both comparisons."],
    program: "detector-tour/tour"
  },
  {
    name: "leak-free-application",
    title: "a whole service: deadlines, tasks, resources, and an end in order",
    look: ["Press Ctrl-C, or send SIGTERM: tasks hear of it, resources are released, and the process ends in time."],
    program: "leak-free-application/application"
  },
  {
    name: "global-task-list",
    title: "a list of all tasks that were ever started",
    look: [
      "live fibers: flat in both, because the tasks do end. The list keeps what they ended with: look at the heap floor.",
      "The guilty site is where that was allocated. The list itself cannot be seen from outside; the fix asks a task manager."
    ]
  },
  {
    name: "listeners",
    title: "requests listen to an emitter, and never stop",
    look: [
      "heap floor: 1 KB for every request, kept by the listener that the emitter keeps.",
      "In the fixed one the listener belongs to the scope of the request."
    ]
  },
  {
    name: "unbounded-queue",
    title: "a queue without a limit, and a consumer that is too slow",
    look: [
      "heap floor: it rises as long as more comes in than goes out.",
      "The fixed one is overloaded just as much: it keeps a thousand orders, which is a plateau, and refuses the rest."
    ]
  }
]

/** The example of this name, or those that may have been meant. */
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

/** Levenshtein's distance: how many letters must be put in, left out or changed. */
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
