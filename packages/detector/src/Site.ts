/**
 * Places in the source, as findings name them.
 *
 * @since 0.1.0
 */
import type { Place } from "./agent/Protocol.ts"
import type { Site } from "./Finding.ts"
import { longest, oneLine } from "./Untrusted.ts"

/**
 * The site of a place: a path instead of a URL, and a name for what has none.
 *
 * @since 0.1.0
 * @category constructors
 */
export const siteOf = ({ column, file, line, name }: Place): Site => ({
  name: name === "" ? "(anonymous)" : name,
  ...(file === undefined || file === "" ? {} : { file: pathOf(file) }),
  ...(line === undefined ? {} : { line }),
  ...(column === undefined ? {} : { column })
})

/**
 * The path of a file that may be given as a URL.
 *
 * @since 0.1.0
 * @category constructors
 */
export const pathOf = (file: string): string => {
  if (!file.startsWith("file://")) return file
  try {
    return decodeURIComponent(new URL(file).pathname)
  } catch {
    return file
  }
}

/**
 * `name (file:line)`, as a part of a sentence: the name is cut where it is long, and the last two parts of the file are enough.
 *
 * @since 0.1.0
 * @category rendering
 */
export const describeSite = ({ column, file, line, name }: Site): string => {
  const shown = oneLine(name, longest.name)
  if (file === undefined) return shown
  const short = oneLine(file.split(/[\\/]/).slice(-2).join("/"), longest.name)
  const at = `${short}:${line ?? "?"}${column === undefined ? "" : `:${column}`}`
  return name === "(anonymous)" ? at : `${shown} (${at})`
}

/**
 * The function of Effect through which the program came to allocate: of the frames of a stack, innermost first, the outermost named
 * one in a public module of Effect. Under the run loop there are no frames of the program, and this is the name its users know.
 *
 * @since 0.1.0
 * @category constructors
 */
export const effectApi = (stack: ReadonlyArray<Place>): Place | undefined => {
  const own = stack.filter(({ file, name }) =>
    name !== "" && file !== undefined &&
    /[\\/]effect[\\/]dist[\\/](?!internal[\\/]|(?:Scheduler|Fiber|Runtime|ManagedRuntime|Function)\.js)/.test(file)
  )
  const outermost = own.at(-1)
  return outermost === undefined ? undefined : { ...outermost, name: outermost.name.replace(/Unsafe$/, "") }
}

/**
 * The function of a library, as its users call it: `Metric.update`, `Scope.addFinalizer`.
 *
 * @since 0.1.0
 * @category rendering
 */
export const libraryName = ({ file, name }: Site): string => {
  const match = file === undefined
    ? null
    : /^.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)[\\/](?:.*[\\/])?([^\\/]+?)\.[cm]?[jt]s$/.exec(file)
  const shown = oneLine(name, longest.name)
  if (match === null) return shown
  const [, library, module] = match
  return library === "effect" ? `${module!}.${shown} of effect` : `${shown} of ${library!}`
}
