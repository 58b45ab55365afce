/** The metrics of a module: series that are read only for a snapshot, so that the measured work has no extra cost. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"

export interface Instruments {
  /** The module in the names of its metrics: `fiberscope_<module>_<what>`. */
  readonly module: string
  /** The value of the attribute `name`. */
  readonly name: string
  readonly gauges?: Readonly<Record<string, () => number>>
  readonly counters?: Readonly<Record<string, () => number>>
}

/** Instances with the same name share a series, which is the sum over the live instances. */
interface Series {
  readonly sources: Set<() => number>
  readonly registration: Metric.Registration
}

const byRegistry = new WeakMap<Metric.MetricRegistry, Map<string, Series>>()

/** Registers the metrics until the scope closes. */
export const instrument = (instruments: Instruments): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(Effect.acquireRelease(
    Effect.contextWith((context: Context.Context<never>) =>
      Effect.sync(() => [
        ...Object.entries(instruments.gauges ?? {}).map(([what, read]) => add(context, instruments, what, read, false)),
        ...Object.entries(instruments.counters ?? {}).map(([what, read]) => add(context, instruments, what, read, true))
      ])
    ),
    (removals) => Effect.sync(() => removals.forEach((remove) => remove()))
  ))

const add = (
  context: Context.Context<never>,
  { module, name }: Instruments,
  what: string,
  read: () => number,
  counts: boolean
): () => void => {
  const registry = Context.get(context, Metric.MetricRegistry)
  const id = `fiberscope_${module}_${what}${counts ? "_total" : ""}`
  const key = `${id} ${name} ${JSON.stringify(Context.get(context, Metric.CurrentMetricAttributes))}`
  let known = byRegistry.get(registry)
  if (known === undefined) byRegistry.set(registry, known = new Map())
  let series = known.get(key)
  if (series === undefined) {
    const sources = new Set<() => number>()
    const sum = () => {
      let total = 0
      for (const source of sources) total += source()
      return total
    }
    known.set(key, series = { sources, registration: register(context, id, name, sum, counts) })
  }
  const { registration, sources } = series
  sources.add(read)
  return () => {
    sources.delete(read)
    if (sources.size > 0) return
    registration.remove()
    if (known.get(key)?.sources === sources) known.delete(key)
  }
}

const register = (
  context: Context.Context<never>,
  id: string,
  name: string,
  sum: () => number,
  counts: boolean
): Metric.Registration => {
  const nothing = () => {}
  const attributes = { name }
  return counts
    ? Metric.registerUnsafe(Metric.counter(id, { attributes, incremental: true }), context, {
      get: () => ({ count: sum(), incremental: true }),
      update: nothing,
      modify: nothing
    })
    : Metric.registerUnsafe(Metric.gauge(id, { attributes }), context, {
      get: () => ({ value: sum() }),
      update: nothing,
      modify: nothing
    })
}
