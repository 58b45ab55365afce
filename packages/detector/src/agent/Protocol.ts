/**
 * What an agent says and what it may be asked: the lines of a recording.
 *
 * Each message is one JSON object on one line. The first is `hello`, the last `bye`, unless the process was killed. Times are
 * milliseconds on the monotonic clock of the process, counted from the moment the agent was loaded; sizes are bytes. Every report
 * can be made again from a recording, and a test can replay one. Types only: the schema that reads a recording back stands in
 * `Recording.ts`.
 */

/** The type of resource under which descriptors of files are counted that node knows no handle of. */
export const descriptorType = "FileDescriptor"

/** The version of the recording format; a reader refuses what it does not know. */
export const protocolVersion = 1

/** A place in a source file; `line` and `column` are 1-based. */
export interface Place {
  readonly name: string
  readonly file?: string | undefined
  readonly line?: number | undefined
  readonly column?: number | undefined
}

/** The agent is up: it found a copy of Effect (or one it cannot read) in this process. */
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
  /** Milliseconds since the epoch at time 0 of this recording. */
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

/** A runtime that this version cannot observe; `where` when it was told as a copy before its first fiber ran. */
export interface Unsupported {
  readonly type: "unsupported"
  readonly t: number
  readonly what: string
  readonly where?: string | undefined
}

/** A copy whose fibers lack fields that other versions have: dumps of it have empty columns. */
export interface Lacking {
  readonly type: "lacking"
  readonly t: number
  readonly where: string
  readonly missing: ReadonlyArray<string>
}

/** A fork site, before it is first mentioned. */
export interface Site {
  readonly type: "site"
  readonly id: number
  readonly fork?: Place | undefined
  readonly runs?: Place | undefined
  readonly chain: ReadonlyArray<Place>
  /** It is a part of this site: those of its fibers of which the line of the fork was looked for. */
  readonly of?: number | undefined
}

/** What the tenured fibers of a site did: `[site, second of birth, tenured, ended, abandoned]`. */
export type Flow = readonly [site: number, born: number, tenured: number, ended: number, abandoned: number]

/** Heap in use right after a major collection; forced ones were asked for by the agent. */
export interface Floor {
  readonly t: number
  readonly bytes: number
  readonly forced: boolean
  /** Memory outside of the heap at that moment; known for forced ones. */
  readonly external?: number | undefined
}

/** The readings of one interval. */
export interface Tick {
  readonly type: "tick"
  readonly t: number
  /** The process is exiting. */
  readonly final?: true | undefined
  /** The test file that runs. */
  readonly test?: string | undefined
  readonly fibers: {
    readonly started: number
    readonly ended: number
    readonly abandoned: number
    readonly live: number
    readonly tenured: number
  }
  readonly flow: ReadonlyArray<Flow>
  /** Live fibers of the sites that have most of them: `[site, live]`. */
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
  /** Handles by their type in node, and under {@link descriptorType} the lowest number of a file descriptor that is free. */
  readonly resources: Readonly<Record<string, number>>
  /** What the agent itself took: its processor time since the last tick, and its records. */
  readonly own: {
    readonly ms: number
    readonly bytes: number
    /** With the lines of forks: how many stacks were taken since the start, and how long that took. */
    readonly forkLines?: { readonly stacks: number; readonly ms: number } | undefined
  }
}

/** A call stack under which objects are allocated, before it is first mentioned; the allocating function first. */
export interface Stack {
  readonly type: "stack"
  readonly id: number
  readonly frames: ReadonlyArray<Place>
}

/**
 * The sampled objects that were born and that died since the last reading. An ordinal names one object for life. A large reading
 * comes in several messages, all but the last with `more`.
 */
export interface Samples {
  readonly type: "samples"
  readonly t: number
  readonly born: ReadonlyArray<readonly [ordinal: number, stack: number, bytes: number]>
  readonly died: ReadonlyArray<number>
  readonly more?: true | undefined
  /** How long the program stood still for this reading. */
  readonly pauseMs: number
}

/**
 * From here on there is a sample in about `bytes`. All samples so far are forgotten, and ordinals begin again. `living` is how many
 * sampled objects there were, where they were too many to be told.
 */
export interface Sampling {
  readonly type: "sampling"
  readonly t: number
  readonly bytes: number
  readonly living?: number | undefined
}

/** Something in the agent failed and has been switched off. */
export interface Problem {
  readonly type: "problem"
  readonly t: number
  readonly probe: string
  readonly message: string
}

/** Where a fiber of a site waits, as an answer to {@link Inspect}. */
export interface Waiting {
  readonly type: "waiting"
  readonly t: number
  readonly site: number
  readonly places: ReadonlyArray<{ readonly place: Place; readonly count: number }>
  /** Fibers that were looked at. */
  readonly looked: number
  /** Milliseconds of the timers that will wake those that wait for one; absent in older recordings. */
  readonly timers?: ReadonlyArray<number>
}

/** The process ends by itself. */
export interface Bye {
  readonly type: "bye"
  readonly t: number
  readonly code: number | undefined
}

/** Gauges of the program, and how many series (sets of attributes) its metrics have; read in process only. */
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
  | Bye

/** Look where fibers of a site wait. */
export interface Inspect {
  readonly type: "inspect"
  readonly site: number
  readonly most: number
}

/** Take a reading now, whatever the budget: the program is about to be stopped. */
export interface Read {
  readonly type: "read"
}

/** Look for the lines at which fibers are forked, for some seconds: there are suspects without a name. */
export interface Lines {
  readonly type: "lines"
}

/** Take no more readings: somebody has asked the program to end, and its end takes the time that it takes alone. */
export interface Rest {
  readonly type: "rest"
}

/** What an agent may be asked. */
export type Request = Inspect | Lines | Read | Rest

/** How an agent is told what to do, as JSON in the environment. */
export interface AgentOptions {
  readonly intervalMs: number
  /** Bytes between two allocation samples; `adaptive` to what the program allocates; 0 switches them off. */
  readonly sampling: number | "adaptive"
  /** The least that `adaptive` comes to, in bytes. Default 2 KiB. */
  readonly leastSampling?: number | undefined
  /** The least time between two readings, each of which is a major collection; 0: no readings. */
  readonly readingMs: number
  /** `all`: the exact line of every fork, at the cost of a stack for each; else only of some, and only for suspects without a name. */
  readonly sites: "named" | "all"
  /** The share of time that readings may take, e.g. 0.015. */
  readonly readingShare: number
  /** A file to which each process into which the agent was loaded adds a line. */
  readonly marks?: string | undefined
}

/** Environment variables between the command line and the agents of a process tree. */
export const environment = {
  /** The socket that agents connect to. */
  socket: "FIBERSCOPE_SOCKET",
  /** {@link AgentOptions} as JSON. */
  options: "FIBERSCOPE_OPTIONS"
} as const
