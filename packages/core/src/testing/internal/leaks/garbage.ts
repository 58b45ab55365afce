let collect: (() => void) | undefined

/**
 * Runs a full garbage collection, with or without `--expose-gc`. The target of a WeakRef that was dereferenced in this turn of
 * the event loop survives it.
 */
export const collectGarbage = (): void => {
  if (collect === undefined) {
    const { gc } = globalThis as { readonly gc?: () => void }
    if (gc === undefined) {
      process.getBuiltinModule("node:v8").setFlagsFromString("--expose-gc")
      collect = process.getBuiltinModule("node:vm").runInNewContext("gc") as () => void
    } else collect = gc
  }
  collect()
}
