/** The signals: numbers that are sampled over time, each with a name, a unit and a kind. */

/**
 * A signal. A `gauge` goes up and down, a `counter` only up, and a `floor` is a gauge whose lowest values matter.
 *
 * @category models
 */
export interface Signal {
  readonly unit: "bytes" | "fibers" | "ms" | "share"
  readonly kind: "gauge" | "counter" | "floor"
  readonly about: string
}

/**
 * Every signal that an agent samples.
 *
 * @category models
 */
export const signals = {
  "fibers.live": {
    unit: "fibers",
    kind: "gauge",
    about: "fibers that started and have neither ended nor been collected"
  },
  "fibers.started": { unit: "fibers", kind: "counter", about: "fibers that ran at least once" },
  "fibers.ended": { unit: "fibers", kind: "counter", about: "fibers that ended, by themselves or interrupted" },
  "fibers.abandoned": {
    unit: "fibers",
    kind: "counter",
    about: "fibers that were garbage-collected without having ended"
  },
  "heap.floor": { unit: "bytes", kind: "floor", about: "heap in use right after a major collection" },
  "external.floor": {
    unit: "bytes",
    kind: "floor",
    about: "memory outside of the heap right after a major collection"
  },
  "heap.used": { unit: "bytes", kind: "gauge", about: "heap in use, garbage included" },
  "rss": { unit: "bytes", kind: "gauge", about: "memory of the process" },
  "external": { unit: "bytes", kind: "gauge", about: "memory of C++ objects bound to JavaScript ones" },
  "arrayBuffers": { unit: "bytes", kind: "gauge", about: "memory of buffers" },
  "eventloop.delay": { unit: "ms", kind: "gauge", about: "99th percentile of the delay of callbacks" },
  "eventloop.utilization": { unit: "share", kind: "gauge", about: "busy share of the event loop" },
  "gc.pause": { unit: "ms", kind: "gauge", about: "time in garbage collection in an interval" }
} as const satisfies Record<string, Signal>

/**
 * The name of a signal.
 *
 * @category models
 */
export type SignalName = keyof typeof signals
