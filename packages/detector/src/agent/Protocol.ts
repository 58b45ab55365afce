/**
 * The messages of an agent, which are the lines of a recording, and the requests that it answers.
 *
 * Each message is one JSON object on one line. The first is `hello`, the last is `bye`, unless the process was killed. Times are
 * milliseconds on the monotonic clock of the process, counted from the moment the agent was loaded; sizes are bytes. Every report
 * can be made again from a recording, and a test can replay one. This file has types only: the schema that reads a recording is in
 * `observation/RecordedMessage.ts`.
 */

/** The resource type under which file descriptors without a handle in node are counted. */
export const descriptorType = "FileDescriptor"

/** The version of the recording format. A reader refuses a version that it does not know. */
export const protocolVersion = 1

/** A place in a source file. `line` and `column` are 1-based. */
export interface Place {
  readonly name: string
  readonly file?: string | undefined
  readonly line?: number | undefined
  readonly column?: number | undefined
}

/** The agent has started: it found a copy of Effect in this process, which it may or may not be able to read. */
export interface Hello {
  readonly type: "hello"
  readonly version: number
  readonly pid: number
  readonly ppid: number
  /** 0 for the main thread. */
  readonly thread: number
  readonly argv: ReadonlyArray<string>
  readonly cwd: string
  readonly node: string
  /** The Unix time of time 0 of this recording, in milliseconds. */
  readonly epoch: number
  readonly intervalMs: number
  /** Bytes between two allocation samples at the beginning, 0 when they are off. */
  readonly samplingBytes: number
}

/** A copy of Effect whose fibers are counted from here on. */
export interface Copy {
  readonly type: "copy"
  readonly t: number
  readonly where: string
  readonly effect?: string | undefined
}

/** A copy of Effect that this version cannot observe. `where` is present when a `copy` message was sent before its first fiber ran. */
export interface Unsupported {
  readonly type: "unsupported"
  readonly t: number
  readonly what: string
  readonly where?: string | undefined
}

/** A copy whose fibers lack fields that other versions have. Columns of its dumps are empty. */
export interface Lacking {
  readonly type: "lacking"
  readonly t: number
  readonly where: string
  readonly missing: ReadonlyArray<string>
}

/** A fork site, sent before its first mention. */
export interface Site {
  readonly type: "site"
  readonly id: number
  readonly fork?: Place | undefined
  readonly runs?: Place | undefined
  readonly chain: ReadonlyArray<Place>
  /** The id of the site that this one is a part of. The part has the fibers whose fork line is known. */
  readonly of?: number | undefined
}

/** Counts of the tenured fibers of a site since the last tick: `[site, second of birth, tenured, ended, abandoned]`. */
export type Flow = readonly [site: number, born: number, tenured: number, ended: number, abandoned: number]

/** Heap in use right after a major collection. The agent asked for the forced ones. */
export interface Floor {
  readonly t: number
  readonly bytes: number
  readonly forced: boolean
  /** Memory outside the heap at that moment; known for forced collections only. */
  readonly external?: number | undefined
}

/** The readings of one interval. */
export interface Tick {
  readonly type: "tick"
  readonly t: number
  /** The process is exiting. */
  readonly final?: true | undefined
  /** The test file that runs at the moment. */
  readonly test?: string | undefined
  readonly fibers: {
    readonly started: number
    readonly ended: number
    readonly abandoned: number
    readonly live: number
    readonly tenured: number
  }
  readonly flow: ReadonlyArray<Flow>
  /** The sites with the most live fibers: `[site, live]`. */
  readonly live: ReadonlyArray<readonly [site: number, live: number]>
  readonly memory: {
    readonly heapUsed: number
    readonly heapLimit: number
    readonly rss: number
    readonly external: number
    readonly arrayBuffers: number
  }
  readonly floors: ReadonlyArray<Floor>
  readonly loop: { readonly p50: number; readonly p99: number; readonly max: number; readonly utilization: number }
  readonly gc: { readonly pauseMs: number; readonly count: number }
  /** Handles by their type in node; and under {@link descriptorType} the lowest free file descriptor. */
  readonly resources: Readonly<Record<string, number>>
  /** The agent's own cost: the time that the last tick took, and the memory of its records. */
  readonly own: {
    readonly ms: number
    readonly bytes: number
    /** With `--sites all`: the number of stacks taken since the start, and the time that it took. */
    readonly forkLines?: { readonly stacks: number; readonly ms: number } | undefined
  }
}

/** A call stack under which objects are allocated, sent before its first mention. The allocating function is the first frame. */
export interface Stack {
  readonly type: "stack"
  readonly id: number
  readonly frames: ReadonlyArray<Place>
}

/**
 * The sampled objects that were born and that died since the last reading. An ordinal identifies one object permanently. A large
 * reading is split into several messages, all but the last with `more`.
 */
export interface Samples {
  readonly type: "samples"
  readonly t: number
  readonly born: ReadonlyArray<readonly [ordinal: number, stack: number, bytes: number]>
  readonly died: ReadonlyArray<number>
  readonly more?: true | undefined
  /** How long this reading paused the program, in milliseconds. */
  readonly pauseMs: number
}

/**
 * The sampling interval changed to about `bytes`. All earlier samples are forgotten, and ordinals start again. `living` is the number
 * of living sampled objects, when the change was made because there were too many to send.
 */
export interface Sampling {
  readonly type: "sampling"
  readonly t: number
  readonly bytes: number
  readonly living?: number | undefined
}

/** A part of the agent failed and was switched off. */
export interface Problem {
  readonly type: "problem"
  readonly t: number
  readonly probe: string
  readonly message: string
}

/** The places at which fibers of a site wait: the answer to {@link Inspect}. */
export interface Waiting {
  readonly type: "waiting"
  readonly t: number
  readonly site: number
  readonly places: ReadonlyArray<{ readonly place: Place; readonly count: number }>
  /** The number of fibers that were inspected. */
  readonly looked: number
  /** The length of each timer that an inspected fiber waits for, in milliseconds; absent in older recordings. */
  readonly timers?: ReadonlyArray<number>
}

/** A snapshot of the heap was written to a file: the answer to {@link TakeHeapSnapshot}. `refused` says why there is none. */
export interface HeapSnapshotTaken {
  readonly type: "heapSnapshot"
  readonly t: number
  readonly pauseMs: number
  readonly refused?: string | undefined
}

/** One step of a path in the heap: the name of a reference, and the class or the function that it leads to. */
export interface HeapStep {
  readonly edge: string
  readonly node: string
  /** `scope`: the variables of a function or a module. */
  readonly kind: "object" | "function" | "scope" | "value" | "internal"
  /** The place of a function. */
  readonly place?: Place | undefined
}

/** A path in the heap whose objects became more, or larger, from one snapshot to the next. */
export interface HeapPath {
  readonly how: "more" | "larger"
  readonly steps: ReadonlyArray<HeapStep>
  /** For each snapshot, the number of objects at the end of the path, and the bytes of all that is reached through them. */
  readonly counts: ReadonlyArray<number>
  readonly bytes: ReadonlyArray<number>
  /** For each snapshot but the last: how many of its objects are there in the next one. Empty if objects cannot be recognized. */
  readonly stayed: ReadonlyArray<number>
  /** The number of entries in the fullest container at this path, and the most that it takes. */
  readonly bound?: { readonly size: number; readonly most: number } | undefined
}

/** The comparison of heap snapshots, which the command line makes at the end of a run and adds to the recording. */
export interface HeapGrowth {
  readonly type: "growth"
  readonly t: number
  /** The time of each snapshot. */
  readonly times: ReadonlyArray<number>
  /** The heap in each snapshot, in bytes. */
  readonly bytes: ReadonlyArray<number>
  /** The paths that gained the most bytes, in that order. */
  readonly paths: ReadonlyArray<HeapPath>
}

/** The command line adds it at the end of a run: a process that is connected has sent nothing for so long, so its event loop is blocked. */
export interface Silent {
  readonly type: "silent"
  readonly t: number
  readonly ms: number
}

/** The process ends by itself. */
export interface Bye {
  readonly type: "bye"
  readonly t: number
  readonly code: number | undefined
}

/** The gauges of the program, and the number of series (sets of attributes) of each metric. Only `LeakDetector` sends them. */
export interface Metrics {
  readonly type: "metrics"
  readonly t: number
  readonly gauges: ReadonlyArray<readonly [name: string, value: number]>
  readonly series: ReadonlyArray<readonly [metric: string, count: number]>
}

/** A line of a recording. */
export type Message =
  | Hello
  | Copy
  | Unsupported
  | Lacking
  | Site
  | Tick
  | Stack
  | Sampling
  | Samples
  | Problem
  | Waiting
  | Metrics
  | HeapSnapshotTaken
  | HeapGrowth
  | Silent
  | Bye

/** A request to find where fibers of a site wait. */
export interface Inspect {
  readonly type: "inspect"
  readonly site: number
  readonly most: number
}

/** A request for a reading now, whatever the budget: the program is about to be stopped. */
export interface Read {
  readonly type: "read"
}

/** A request to look for fork lines for some seconds: there are suspected fibers without a name. */
export interface Lines {
  readonly type: "lines"
}

/** A request to take no more readings: the program was asked to end, and the agent must not delay its end. */
export interface Rest {
  readonly type: "rest"
}

/** A request for a snapshot of the heap in this file. The program stands still meanwhile. */
export interface TakeHeapSnapshot {
  readonly type: "takeHeapSnapshot"
  readonly file: string
  /** No further one is compared with it. */
  readonly last?: boolean | undefined
}

/** A request to an agent. */
export type Request = Inspect | Lines | TakeHeapSnapshot | Read | Rest

/** The options of an agent, which are JSON in an environment variable. */
export interface AgentOptions {
  readonly intervalMs: number
  /** Bytes between two allocation samples. `adaptive` follows the allocation rate of the program; 0 switches sampling off. */
  readonly sampling: number | "adaptive"
  /** The shortest interval that `adaptive` uses, in bytes. Default 2 KiB. */
  readonly leastSampling?: number | undefined
  /** The least time between two readings, in milliseconds. A reading is a major collection. 0: no readings. */
  readonly readingMs: number
  /** `all`: the line of every fork, at the cost of a stack for each. `named`: lines of some forks, for suspected fibers without a name. */
  readonly sites: "named" | "all"
  /** The share of time that readings may take, e.g. 0.015. */
  readonly readingShare: number
  /** A file to which each process adds a line when the agent is loaded into it. */
  readonly marks?: string | undefined
}

/** Environment variables between the command line and the agents of a process tree. */
export const environment = {
  /** The path of the socket that agents connect to. */
  socket: "FIBERSCOPE_SOCKET",
  /** {@link AgentOptions} as JSON. */
  options: "FIBERSCOPE_OPTIONS"
} as const
