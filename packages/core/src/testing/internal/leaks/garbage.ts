let collect: (() => void) | undefined

/** A full garbage collection, with or without `--expose-gc`. What a WeakRef was asked for in this turn of the event loop survives it. */
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
