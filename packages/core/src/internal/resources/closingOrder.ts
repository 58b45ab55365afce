/** The order in which things that depend on each other are closed. */

export interface Orderable {
  readonly name: string
  readonly phase: number
  readonly after: ReadonlyArray<string>
}

/**
 * Waves, to be closed one after the other. Given things in the order of their creation, it closes them in reverse: the lowest
 * phase first, and each thing after the ones that its `after` names. `sequential` makes each thing a wave, `parallel` puts all
 * things of a phase that need not wait for each other into one wave. In a cycle, the thing created last is closed first.
 */
export const closingOrder = <A extends Orderable>(
  made: ReadonlyArray<A>,
  strategy: "sequential" | "parallel"
): ReadonlyArray<ReadonlyArray<A>> => {
  // Sorting is stable.
  let left: ReadonlyArray<A> = made.toReversed().sort((a, b) => a.phase - b.phase)
  const names = new Map<string, number>()
  for (const { name } of left) names.set(name, (names.get(name) ?? 0) + 1)
  const isFree = ({ after, name }: A) => after.every((other) => other === name || !names.get(other))
  const waves: Array<ReadonlyArray<A>> = []
  while (left.length > 0) {
    const first = left.find(isFree) ?? left[0]!
    const wave = strategy === "sequential" || !isFree(first)
      ? [first]
      : left.filter((one) => one.phase === first.phase && isFree(one))
    const closed = new Set(wave)
    left = left.filter((one) => !closed.has(one))
    for (const { name } of wave) names.set(name, names.get(name)! - 1)
    waves.push(wave)
  }
  return waves
}
